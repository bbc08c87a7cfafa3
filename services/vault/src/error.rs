//! The vault's errors, grouped by the caller's remedy, and their only translation to gRPC.

use std::sync::Arc;

use strongroom_crypto::{Kid, Purpose, State};
use strongroom_runtime::auth::permission_denied;
use strongroom_runtime::status::{bad_field, bad_request, status};
use strongroom_store::Kind;
use tonic::{Code, Status};

mod restore;

pub(crate) use restore::RestoreError;

/// The domain of the vault's errors.
pub(crate) const DOMAIN: &str = "vault.strongroom";

/// A result with this crate's error.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Every error of the vault. Messages hold ids and names, never a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the request cannot be accepted.
    #[error("{field}: {problem}")]
    Field {
        /// The field's proto name.
        field: &'static str,
        /// The requirement that the value fails.
        problem: String,
    },
    /// An element of a repeated field cannot be accepted.
    #[error("{field}: {problem}")]
    Element {
        /// Path of the element: `kids[1]`, `selectors[0].label`.
        field: String,
        /// The requirement that the value fails.
        problem: String,
    },
    /// The credential does not exist.
    #[error("there is no credential {0}")]
    CredentialNotFound(String),
    /// The reference does not exist.
    #[error("there is no reference {kind}/{consumer}")]
    ReferenceNotFound {
        /// Kind of the consumer.
        kind: String,
        /// The consumer.
        consumer: String,
    },
    /// The token does not exist.
    #[error("there is no token {0}")]
    TokenNotFound(String),
    /// The token was revoked or has expired, so it gets no new secret.
    #[error("the token {0} was revoked or has expired; issue another one")]
    TokenOver(String),
    /// The caller's own token was issued by this token, directly or indirectly, or is this token.
    #[error("the token {0} is the calling token or one of its issuers; renew it with its own secret")]
    TokenIsIssuer(String),
    /// The chain of issuers has reached its maximum length.
    #[error(
        "the calling token has eight issuers above it, and a chain has at most eight; issue with a token \
         that is closer to the first"
    )]
    TooManyIssuers,
    /// The change would leave the vault without a usable admin token.
    #[error(
        "without the token {0}, no valid admin token without expiry and selectors would remain: there is no \
         other, or the others descend from this one and end with it. `strongroom-vault --issue-admin-token \
         FILE`, run with access to the vault's database and root key, makes one that descends from none"
    )]
    LastAdmin(String),
    /// The caller authenticates with a certificate, which has no secret to renew.
    #[error("a client certificate has no secret to renew; call with the token that is to be renewed")]
    NothingToRenew,
    /// The row or ring was changed after it was read.
    #[error("{0} was changed since it was read; read it again and repeat the change")]
    Stale(String),
    /// The credential is deactivated.
    #[error("the credential {0} is deactivated; activate it first")]
    CredentialInactive(String),
    /// The credential has expired.
    #[error("the credential {0} has expired; set another expiry")]
    CredentialExpired(String),
    /// References use the credential.
    #[error(
        "the credential {id} is used by {count} references; release them first, or delete without block_if_referenced"
    )]
    CredentialReferenced {
        /// The credential.
        id: String,
        /// Number of references.
        count: i64,
    },
    /// The consumer needs another provider.
    #[error("{kind}/{consumer} needs the provider {needs}, but the credential is for {has}")]
    ProviderMismatch {
        /// The consumer's kind.
        kind: String,
        /// The consumer.
        consumer: String,
        /// The provider that the consumer needs.
        needs: String,
        /// The credential's provider.
        has: String,
    },
    /// The key does not exist.
    #[error("there is no key {0}; `strongroom key list` shows the keys")]
    KeyNotFound(String),
    /// The key version does not exist.
    #[error("there is no key version {0}; `strongroom key list` shows the versions")]
    KeyVersionNotFound(String),
    /// The key's name is taken.
    #[error("the key {0} already exists; choose another name")]
    KeyExists(String),
    /// The key version is the primary one, which seals new values.
    #[error("{kid} is the primary version of the key {key_id}; rotate the key first")]
    KeyVersionPrimary {
        /// The version.
        kid: String,
        /// Its key.
        key_id: String,
    },
    /// The key version is not in the state that this step starts from.
    #[error("the key version {kid} is {state}; this needs one that is {needs}")]
    KeyVersionState {
        /// The version.
        kid: String,
        /// Its state.
        state: State,
        /// The state needed.
        needs: &'static str,
    },
    /// A retirement would make values or archives unreadable.
    #[error(
        "the key version {kid} is needed by {rows} rows of the vault, {columns} columns of other services and \
         {archives} archives{}; re-encrypt or release them, or {}",
        named(some_archives, *archives),
        approval(request_id)
    )]
    KeyVersionInUse {
        /// The version.
        kid: String,
        /// Number of the vault's rows that need it.
        rows: i64,
        /// Number of columns of other services that need it.
        columns: i64,
        /// Number of archives that pin it.
        archives: i64,
        /// Ids of the first of these archives.
        some_archives: Vec<String>,
        /// The request that can be approved; empty if the caller is not a person.
        request_id: String,
    },
    /// The values of other services that a retirement would make unreadable are not known.
    #[error(
        "it is not known how many values of other services are sealed under the key {key_id}: every column needs a \
         report that was counted within a day, and at least five seconds after {kid} was followed by another \
         version; report the census, or {}",
        approval(request_id)
    )]
    KeyCensusStale {
        /// The version.
        kid: String,
        /// Its key.
        key_id: String,
        /// The request that can be approved; empty if the caller is not a person.
        request_id: String,
    },
    /// The key request does not exist.
    #[error("there is no key request {0}; `strongroom key requests` shows the open ones")]
    KeyRequestNotFound(String),
    /// The key request is closed.
    #[error(
        "the key request {0} is already approved, used or lapsed; repeat the refused call to open another"
    )]
    KeyRequestClosed(String),
    /// An archive's key ring cannot be trusted.
    #[error("ring: cannot be used: {0}")]
    RingInvalid(String),
    /// An archive's key ring is wrapped by another root key.
    #[error(
        "the key ring is wrapped by the root key {0}, which this vault does not have; supply that one as a previous root \
         key (vault.previous_root_key_files)"
    )]
    RootKeyUnknown(String),
    /// The key ring is larger than an archive can hold.
    #[error("the key ring has {versions} versions and {bytes} bytes, which is more than an archive can hold")]
    RingTooLarge {
        /// Size of the ring document in bytes.
        bytes: usize,
        /// Number of key versions in the ring.
        versions: usize,
    },
    /// A merge of key rings would retire the primary version of a key.
    #[error("the key ring cannot be merged because of the version {kid}: {conflict}")]
    KeyStateConflict {
        /// The version.
        kid: String,
        /// The conflict.
        conflict: &'static str,
    },
    /// Another manifest was already signed for the archive.
    #[error("the vault has signed another manifest for the archive {0}; each archive has one")]
    ArchiveSigned(String),
    /// The archive has no pins, so it is not being made.
    #[error(
        "the archive {0} has no pins, so no manifest is signed for it: call PinKeyVersions before its snapshot is taken"
    )]
    ArchiveNotPinned(String),
    /// The approver cannot approve this request.
    #[error("this token or identity cannot approve the request {id}: {problem}")]
    Approver {
        /// The request.
        id: String,
        /// The reason why the approver cannot approve it.
        problem: &'static str,
    },
    /// Nobody is enrolled under this name.
    #[error("nobody is enrolled as {0:?}; `strongroom person list` shows the people")]
    PersonNotFound(String),
    /// The request about people does not exist.
    #[error("there is no request {0} about people; `strongroom person requests` shows the open ones")]
    PersonRequestNotFound(String),
    /// The person's name is taken.
    #[error("somebody is already enrolled as {0:?}; choose another name")]
    PersonExists(String),
    /// The token or identity that is to belong to a person does not exist.
    #[error("{0} is neither a valid token of this vault nor an identity of its configuration")]
    SubjectNotFound(String),
    /// The token or identity that is to belong to a person could never act for one.
    #[error(
        "{0} cannot act for a person: approving needs the role admin, no selectors, and no binding to the backup service"
    )]
    SubjectUnfit(String),
    /// The token's secret was replaced after the request was made.
    #[error(
        "the secret of {0} was replaced after this was requested, so somebody else may hold it now; ask again"
    )]
    SubjectChanged(String),
    /// The token or identity already belongs to another person.
    #[error("{subject} belongs to {owner:?}; a token or an identity belongs to one person")]
    SubjectTaken {
        /// `token:<id>` or `identity:<name>`.
        subject: String,
        /// The other person's name.
        owner: String,
    },
    /// The first people are already enrolled, and the caller's token or identity belongs to none of them.
    #[error(
        "this token or identity belongs to no person, and only people ask for approvals: one person enrols \
         it with `strongroom person enrol`, another one approves that, and its holder runs `strongroom token \
         renew`. If nobody is left who could, or the log was pruned before anybody was enrolled, \
         `strongroom-vault --issue-admin-token FILE` makes a token that may enrol two people a day later"
    )]
    NoPerson,
    /// The request is already approved, or has lapsed.
    #[error("the request is already approved, or has lapsed; ask again")]
    PersonRequestClosed,
    /// Fewer than two people would remain, and one alone cannot approve anything.
    #[error("two people must remain, because one alone can approve nothing; enrol another one first")]
    TooFewPeople,
    /// The break-glass token is too new.
    #[error(
        "a break-glass token, and any token that it issued, can enrol nobody for 24 hours after it was made, \
         so that it can be revoked"
    )]
    GlassWaits,
    /// The break-glass token has already enrolled two people, which is its limit.
    #[error("this break-glass token has enrolled two people; they enrol others")]
    GlassSpent,
    /// Another process works under a newer root key.
    #[error("the root key was changed; restart this vault with the new one, then try again")]
    RootKeyChanged,
    /// The process is stopping.
    #[error("the vault is stopping; unfinished work continues when it runs again")]
    Stopping,
    /// The credential was not rotated, or the grace period of its previous secret is over.
    #[error("the credential {0} has no previous secret; it was not rotated, or the grace period is over")]
    NoPreviousSecret(String),
    /// The request id was used for another request.
    #[error("{0} was used for another request within a day; make a new one for each request")]
    RequestIdReused(String),
    /// Every candidate of a reference was skipped.
    #[error("{kind}/{consumer} has no credential that can be used; skipped: {skipped}")]
    NoUsableCredential {
        /// The consumer's kind.
        kind: String,
        /// The consumer.
        consumer: String,
        /// Ids of the skipped credentials, each with the reason.
        skipped: String,
    },
    /// A reference can go through one other reference, but not through a chain.
    #[error(
        "{reference} cannot go through another reference: that one is not bound directly, or others go through \
         {reference}"
    )]
    ViaNotDirect {
        /// `kind/consumer`.
        reference: String,
    },
    /// The call would create or change something outside the selection of the caller's token or identity.
    #[error("{method} would reach outside the caller's selection: {selector}")]
    OutsideSelection {
        /// The method that was called.
        method: &'static str,
        /// The selector that does not match.
        selector: String,
    },
    /// The key is not a caller key, so callers cannot use it.
    #[error("the key {key_id} serves the purpose {purpose}; only caller keys are used from outside")]
    KeyPurpose {
        /// The key.
        key_id: String,
        /// The key's purpose.
        purpose: Purpose,
    },
    /// The key has no primary version to seal with.
    #[error("the key {0} has no primary version; rotate it")]
    KeyWithoutPrimary(String),
    /// The key version that sealed the value cannot be used.
    #[error("the key version {kid} is {state}; the value cannot be opened with it")]
    KeyVersionUnusable {
        /// The version.
        kid: Kid,
        /// Its state: disabled, scheduled or destroyed.
        state: State,
    },
    /// A value does not open. Deliberately without a reason.
    #[error("does not open with this key and this additional data; it was changed or sealed elsewhere")]
    CiphertextInvalid,
    /// None of the wrapped file keys opens. Deliberately without a reason.
    #[error(
        "the file key does not unwrap under the root key it names; the header of the archive was changed"
    )]
    FileKeyInvalid,
    /// The client certificate contains the names of several configured identities.
    #[error(
        "the client certificate stands for several identities of the vault: {0}; leave one of them in the certificate, \
         or in [[vault.identities]]"
    )]
    IdentityAmbiguous(String),
    /// The delegation is not from this vault, or was changed.
    #[error("this vault did not make this delegation; introspect the caller again")]
    DelegationInvalid,
    /// The delegation was made for another service: it was stolen, or this service's token has changed.
    #[error("the delegation was made for another service; introspect the caller again")]
    DelegationForeign,
    /// The delegation is too old to record an event.
    #[error("the delegation has expired; introspect the caller again")]
    DelegationExpired,
    /// The event belongs to a permission that was not delegated.
    #[error("{principal} has not delegated the permission that {event} belongs to")]
    DelegationEvent {
        /// The delegating principal.
        principal: String,
        /// The event that was to be recorded.
        event: String,
    },
    /// The caller lacks the permission for this call.
    #[error("{method} needs the permission {permission}")]
    PermissionMissing {
        /// The method that was called.
        method: &'static str,
        /// The missing permission.
        permission: String,
        /// The kind of caller that lacks it: a token or an identity.
        holder: &'static str,
    },
    /// The events of reveals could not be committed; all reveals that shared the commit get the same cause.
    #[error("the audit log cannot be written; nothing was revealed: {0}")]
    AuditUnavailable(#[source] Arc<strongroom_store::Error>),
    /// The token of a running stream was revoked or has expired.
    #[error("the token is unknown, expired or revoked, or so is one of its issuers")]
    TokenEnded,
    /// The token was restored with a restore of the vault, and is stale.
    #[error(
        "the token {0} is stale: it came back with a restore of the vault, and authenticates nobody until somebody runs \
         `strongroom token reissue {0}` and hands out the new secret"
    )]
    TokenStale(String),
    /// An error of a restore of the vault.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The vault cannot start.
    #[error("{0}")]
    Startup(String),
    /// The process cannot run.
    #[error(transparent)]
    Runtime(#[from] strongroom_runtime::Error),
    /// The database refused the statement or is unavailable.
    #[error(transparent)]
    Store(#[from] strongroom_store::Error),
    /// A database error, shared by all look-ups that shared a statement.
    #[error(transparent)]
    Lookup(Arc<strongroom_store::Error>),
    /// A key or value is not usable.
    #[error(transparent)]
    Crypto(#[from] strongroom_crypto::Error),
    /// The vault's own tables could not be read as a source.
    #[error(transparent)]
    Tables(#[from] strongroom_tables::Error),
    /// The process is stopping, or a computation panicked.
    #[error("a computation did not end: {0}")]
    Computation(#[from] tokio::task::JoinError),
    /// A row contains an impossible value.
    #[error("the database is inconsistent: {0}")]
    Inconsistent(String),
}

impl From<Error> for Status {
    #[expect(
        clippy::too_many_lines,
        reason = "the table of errors and statuses: one exhaustive match, an arm each"
    )]
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let known =
            |code, reason, metadata: &[(&str, &str)]| status(code, DOMAIN, reason, &message, metadata);
        match &error {
            Error::Field { field, problem } => bad_request(DOMAIN, field, problem),
            Error::Element { field, problem } => bad_request(DOMAIN, field, problem),
            Error::CredentialNotFound(id) => known(Code::NotFound, "CREDENTIAL_NOT_FOUND", &[("id", id)]),
            Error::ReferenceNotFound { kind, consumer } => {
                known(Code::NotFound, "REFERENCE_NOT_FOUND", &[("kind", kind), ("consumer", consumer)])
            }
            Error::TokenNotFound(id) => known(Code::NotFound, "TOKEN_NOT_FOUND", &[("id", id)]),
            Error::TokenOver(id) => known(Code::FailedPrecondition, "TOKEN_OVER", &[("id", id)]),
            Error::TokenIsIssuer(id) => known(Code::FailedPrecondition, "TOKEN_IS_ISSUER", &[("id", id)]),
            Error::TooManyIssuers => known(Code::FailedPrecondition, "TOO_MANY_ISSUERS", &[]),
            Error::LastAdmin(id) => known(Code::FailedPrecondition, "LAST_ADMIN", &[("id", id)]),
            Error::NothingToRenew => known(Code::FailedPrecondition, "NOTHING_TO_RENEW", &[]),
            Error::Stale(id) => known(Code::Aborted, "ETAG_MISMATCH", &[("id", id)]),
            Error::CredentialInactive(id) => {
                known(Code::FailedPrecondition, "CREDENTIAL_INACTIVE", &[("id", id)])
            }
            Error::CredentialExpired(id) => {
                known(Code::FailedPrecondition, "CREDENTIAL_EXPIRED", &[("id", id)])
            }
            Error::CredentialReferenced { id, count } => known(
                Code::FailedPrecondition,
                "CREDENTIAL_REFERENCED",
                &[("id", id), ("references", &count.to_string())],
            ),
            Error::ProviderMismatch { needs, has, .. } => {
                known(Code::FailedPrecondition, "PROVIDER_MISMATCH", &[("needs", needs), ("has", has)])
            }
            Error::KeyNotFound(id) => known(Code::NotFound, "KEY_NOT_FOUND", &[("key_id", id)]),
            Error::KeyVersionNotFound(kid) => known(Code::NotFound, "KEY_VERSION_NOT_FOUND", &[("kid", kid)]),
            Error::KeyExists(id) => known(Code::AlreadyExists, "KEY_EXISTS", &[("key_id", id)]),
            Error::KeyVersionPrimary { kid, key_id } => {
                known(Code::FailedPrecondition, "KEY_VERSION_PRIMARY", &[("kid", kid), ("key_id", key_id)])
            }
            Error::KeyVersionState { kid, state, .. } => known(
                Code::FailedPrecondition,
                "KEY_VERSION_STATE",
                &[("kid", kid), ("state", state.as_str())],
            ),
            Error::KeyVersionInUse { kid, rows, columns, archives, some_archives, request_id } => known(
                Code::FailedPrecondition,
                "KEY_VERSION_IN_USE",
                &[
                    ("kid", kid),
                    ("rows", &rows.to_string()),
                    ("columns", &columns.to_string()),
                    ("archives", &archives.to_string()),
                    ("archive_ids", &some_archives.join(",")),
                    ("request_id", request_id),
                ],
            ),
            Error::KeyCensusStale { kid, key_id, request_id } => known(
                Code::FailedPrecondition,
                "KEY_CENSUS_STALE",
                &[("kid", kid), ("key_id", key_id), ("request_id", request_id)],
            ),
            Error::KeyRequestNotFound(id) => known(Code::NotFound, "KEY_REQUEST_NOT_FOUND", &[("id", id)]),
            Error::KeyRequestClosed(id) => {
                known(Code::FailedPrecondition, "KEY_REQUEST_CLOSED", &[("id", id)])
            }
            Error::RingInvalid(problem) => {
                bad_field(DOMAIN, "RING_INVALID", "ring", &format!("cannot be used: {problem}"), &[])
            }
            Error::RootKeyUnknown(id) => {
                known(Code::FailedPrecondition, "ROOT_KEY_UNKNOWN", &[("root_key_id", id)])
            }
            Error::RingTooLarge { .. } => known(Code::FailedPrecondition, "RING_TOO_LARGE", &[]),
            Error::KeyStateConflict { kid, .. } => {
                known(Code::FailedPrecondition, "KEY_STATE_CONFLICT", &[("kid", kid)])
            }
            Error::ArchiveSigned(id) => known(Code::FailedPrecondition, "ARCHIVE_SIGNED", &[("id", id)]),
            Error::ArchiveNotPinned(id) => {
                known(Code::FailedPrecondition, "ARCHIVE_NOT_PINNED", &[("id", id)])
            }
            Error::Approver { id, .. } => known(Code::PermissionDenied, "APPROVER_DEPENDENT", &[("id", id)]),
            Error::PersonNotFound(name) => known(Code::NotFound, "PERSON_NOT_FOUND", &[("name", name)]),
            Error::PersonRequestNotFound(id) => {
                known(Code::NotFound, "PERSON_REQUEST_NOT_FOUND", &[("id", id)])
            }
            Error::PersonExists(name) => known(Code::AlreadyExists, "PERSON_EXISTS", &[("name", name)]),
            Error::SubjectNotFound(subject) => {
                known(Code::NotFound, "SUBJECT_NOT_FOUND", &[("subject", subject)])
            }
            Error::SubjectUnfit(subject) => {
                known(Code::FailedPrecondition, "SUBJECT_UNFIT", &[("subject", subject)])
            }
            Error::SubjectChanged(subject) => {
                known(Code::FailedPrecondition, "SUBJECT_CHANGED", &[("subject", subject)])
            }
            Error::SubjectTaken { subject, owner } => {
                known(Code::FailedPrecondition, "SUBJECT_TAKEN", &[("subject", subject), ("person", owner)])
            }
            Error::NoPerson => known(Code::FailedPrecondition, "NOT_A_PERSON", &[]),
            Error::PersonRequestClosed => known(Code::FailedPrecondition, "PERSON_REQUEST_CLOSED", &[]),
            Error::TooFewPeople => known(Code::FailedPrecondition, "TOO_FEW_PEOPLE", &[]),
            Error::GlassWaits => known(Code::FailedPrecondition, "BREAK_GLASS_WAITS", &[]),
            Error::GlassSpent => known(Code::FailedPrecondition, "BREAK_GLASS_SPENT", &[]),
            Error::RootKeyChanged => known(Code::FailedPrecondition, "ROOT_KEY_CHANGED", &[]),
            Error::KeyPurpose { key_id, purpose } => known(
                Code::FailedPrecondition,
                "KEY_PURPOSE",
                &[("key_id", key_id), ("purpose", purpose.as_str())],
            ),
            Error::KeyWithoutPrimary(id) => {
                known(Code::FailedPrecondition, "KEY_WITHOUT_PRIMARY", &[("key_id", id)])
            }
            Error::KeyVersionUnusable { kid, state }
            | Error::Crypto(strongroom_crypto::Error::Unusable { kid, state }) => known(
                Code::FailedPrecondition,
                "KEY_VERSION_UNUSABLE",
                &[("kid", &kid.to_string()), ("state", state.as_str())],
            ),
            Error::NoPreviousSecret(id) => {
                known(Code::FailedPrecondition, "NO_PREVIOUS_SECRET", &[("id", id)])
            }
            Error::RequestIdReused(id) => {
                bad_field(DOMAIN, "REQUEST_ID_REUSED", "request_id", &message, &[("request_id", id)])
            }
            Error::NoUsableCredential { skipped, .. } => {
                known(Code::FailedPrecondition, "NO_USABLE_CREDENTIAL", &[("skipped", skipped)])
            }
            Error::ViaNotDirect { .. } => known(Code::FailedPrecondition, "VIA_NOT_DIRECT", &[]),
            Error::OutsideSelection { method, selector } => known(
                Code::PermissionDenied,
                "OUTSIDE_SELECTION",
                &[("method", method), ("selector", selector)],
            ),
            Error::CiphertextInvalid => bad_field(DOMAIN, "CIPHERTEXT_INVALID", "ciphertext", &message, &[]),
            Error::FileKeyInvalid => bad_field(DOMAIN, "FILE_KEY_INVALID", "stanzas", &message, &[]),
            Error::Crypto(strongroom_crypto::Error::NoRootForSeal { wrapped_by, .. }) => {
                known(Code::FailedPrecondition, "ROOT_KEY_MISSING", &[("root_key_id", wrapped_by.as_str())])
            }
            Error::IdentityAmbiguous(names) => {
                known(Code::FailedPrecondition, "IDENTITY_AMBIGUOUS", &[("names", names)])
            }
            Error::DelegationInvalid => bad_field(DOMAIN, "DELEGATION_INVALID", "delegation", &message, &[]),
            Error::DelegationForeign => known(Code::PermissionDenied, "DELEGATION_FOREIGN", &[]),
            Error::DelegationExpired => known(Code::PermissionDenied, "DELEGATION_EXPIRED", &[]),
            Error::DelegationEvent { principal, event } => known(
                Code::PermissionDenied,
                "DELEGATION_EVENT",
                &[("principal", principal), ("event", event)],
            ),
            Error::PermissionMissing { method, permission, holder } => {
                permission_denied(DOMAIN, holder, method, permission)
            }
            Error::TokenEnded => known(Code::Unauthenticated, "UNAUTHENTICATED", &[]),
            Error::Stopping => known(Code::Unavailable, "STOPPING", &[]),
            Error::TokenStale(id) => known(Code::Unauthenticated, "TOKEN_STALE", &[("id", id)]),
            Error::Restore(restore) => restore.into(),
            Error::AuditUnavailable(_) => audit_unavailable(&error, "nothing was revealed"),
            Error::Store(strongroom_store::Error::Audit(_)) => {
                audit_unavailable(&error, "nothing was changed")
            }
            Error::Store(store) => of_store(&error, store),
            Error::Lookup(store) => of_store(&error, store),
            Error::Tables(tables) if tables.kind() == strongroom_tables::Kind::Unavailable => {
                unavailable(&error)
            }
            Error::Startup(_)
            | Error::Runtime(_)
            | Error::Crypto(_)
            | Error::Tables(_)
            | Error::Computation(_)
            | Error::Inconsistent(_) => internal(&error),
        }
    }
}

/// Names the given archives out of `all`, for a message.
fn named(some: &[String], all: i64) -> String {
    let named = i64::try_from(some.len()).unwrap_or(i64::MAX);
    match some {
        [] => String::new(),
        _ if all > named => format!(" ({} and {} more)", some.join(", "), all - named),
        _ => format!(" ({})", some.join(", ")),
    }
}

/// How to carry out a refused step after an approval.
fn approval(request_id: &str) -> String {
    if request_id.is_empty() {
        return "have it approved: only people can ask for that, and this token or identity belongs to none; enrol it with \
                `strongroom person enrol`"
            .to_owned();
    }
    format!("have another person approve the request {request_id} and repeat this call")
}

/// The cause stays in the log: a driver's message can quote a row's contents.
fn unavailable(error: &Error) -> Status {
    tracing::warn!(%error, "the database is not available");
    let message = "the vault's database is not available; nothing was changed, try again";
    status(Code::Unavailable, DOMAIN, "DATABASE_UNAVAILABLE", message, &[])
}

fn audit_unavailable(error: &Error, so: &str) -> Status {
    tracing::error!(%error, "the audit log cannot be written");
    let message = format!("the audit log cannot be written; {so}, try again once it can");
    status(Code::Unavailable, DOMAIN, "AUDIT_UNAVAILABLE", &message, &[])
}

fn of_store(error: &Error, store: &strongroom_store::Error) -> Status {
    match store {
        strongroom_store::Error::Tampered { table, row } => tampered(store, table, row),
        store if store.kind() == Kind::Unavailable => unavailable(error),
        _ => internal(error),
    }
}

/// The row grants nothing until a holder of the keys repairs it.
fn tampered(error: &strongroom_store::Error, table: &str, row: &str) -> Status {
    tracing::error!(%error, "a row that grants access was changed by somebody without its key");
    let message = format!(
        "{error}, and grants nothing; `strongroom audit verify` names every such row: find out who can write to the \
         database, and restore these rows from a backup"
    );
    status(Code::DataLoss, DOMAIN, "ROW_TAMPERED", &message, &[("table", table), ("row", row)])
}

/// A driver's message can quote a row's contents, so it is only in the log. The vault's own texts quote none, so the
/// caller gets them.
fn internal(error: &Error) -> Status {
    tracing::error!(%error, "a call failed inside the vault");
    let message = match error {
        Error::Store(_) | Error::Lookup(_) => {
            "the vault's database refused a statement, and trying again will not help; the statement's error may quote \
             rows, so it is only in the vault's log"
                .to_owned()
        }
        other => format!("the vault failed: {other}"),
    };
    status(Code::Internal, DOMAIN, "INTERNAL", &message, &[])
}
