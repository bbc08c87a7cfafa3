//! The status of each error: the only translation of the vault's errors to gRPC.

use strongroom_runtime::auth::permission_denied;
use strongroom_runtime::status::{bad_field, bad_request, status};
use strongroom_store::Kind;
use tonic::{Code, Status};

use super::{DOMAIN, Error};

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
