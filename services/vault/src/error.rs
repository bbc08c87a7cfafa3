//! The vault's errors, grouped by the caller's remedy. [`status`] translates them to gRPC.

use std::sync::Arc;

use strongroom_crypto::{Kid, Purpose, State};
mod restore;
mod status;

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
