//! What the vault can answer, by what the caller can do about it, and the only translation to gRPC.

use strongroom_crypto::{Kid, Purpose, State};
use strongroom_runtime::auth::permission_denied;
use strongroom_runtime::status::{bad_request, status};
use strongroom_store::Kind;
use tonic::{Code, Status};

use crate::DOMAIN;

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
        /// What it must be.
        problem: String,
    },
    /// There is no such credential.
    #[error("there is no credential {0}")]
    CredentialNotFound(String),
    /// There is no such reference.
    #[error("there is no reference {kind}/{consumer}")]
    ReferenceNotFound {
        /// Its kind.
        kind: String,
        /// Its consumer.
        consumer: String,
    },
    /// There is no such token.
    #[error("there is no token {0}")]
    TokenNotFound(String),
    /// Somebody changed it since the caller read it.
    #[error("{0} was changed since it was read; read it again and repeat the change")]
    Stale(String),
    /// It is out of use.
    #[error("the credential {0} is deactivated; activate it first")]
    CredentialInactive(String),
    /// Its time is over.
    #[error("the credential {0} has expired; set another expiry or rotate it")]
    CredentialExpired(String),
    /// References stand in the way.
    #[error(
        "the credential {id} is used by {count} references; release them first, or delete without block_if_referenced"
    )]
    CredentialReferenced {
        /// The credential.
        id: String,
        /// How many.
        count: i64,
    },
    /// The consumer needs another provider.
    #[error("{kind}/{consumer} needs the provider {needs}, but the credential is for {has}")]
    ProviderMismatch {
        /// The consumer's kind.
        kind: String,
        /// The consumer.
        consumer: String,
        /// What it needs.
        needs: String,
        /// What the credential is for.
        has: String,
    },
    /// There is no such key.
    #[error("there is no key {0:?}")]
    KeyNotFound(String),
    /// The key is not one that callers may use.
    #[error("the key {key_id} serves the purpose {purpose}; only caller keys are used from outside")]
    KeyPurpose {
        /// The key.
        key_id: String,
        /// What it serves.
        purpose: Purpose,
    },
    /// The key has no version that seals.
    #[error("the key {0} has no primary version; rotate it")]
    KeyWithoutPrimary(String),
    /// The version that sealed the value is out of use.
    #[error("the key version {kid} is {state}; the value cannot be opened with it")]
    KeyVersionUnusable {
        /// The version.
        kid: Kid,
        /// Disabled, scheduled or destroyed.
        state: State,
    },
    /// A value does not open. Deliberately without a reason.
    #[error(
        "ciphertext: does not open with this key and this additional data; it was changed or sealed elsewhere"
    )]
    CiphertextInvalid,
    /// The caller may not do this.
    #[error("{method} needs the permission {permission}")]
    PermissionMissing {
        /// What was called.
        method: &'static str,
        /// What is missing.
        permission: String,
    },
    /// Not built yet.
    #[error("{0}")]
    Unimplemented(&'static str),
    /// The vault cannot start like this.
    #[error("{0}")]
    Startup(String),
    /// The process cannot run.
    #[error(transparent)]
    Runtime(#[from] strongroom_runtime::Error),
    /// The database refused or is away.
    #[error(transparent)]
    Store(#[from] strongroom_store::Error),
    /// A key or value is not usable.
    #[error(transparent)]
    Crypto(#[from] strongroom_crypto::Error),
    /// Our own tables could not be read as a source.
    #[error(transparent)]
    Tables(#[from] strongroom_tables::Error),
    /// The process is stopping, or a computation panicked.
    #[error("a computation did not end: {0}")]
    Computation(#[from] tokio::task::JoinError),
    /// A row holds what it cannot hold.
    #[error("the database is inconsistent: {0}")]
    Inconsistent(String),
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let known =
            |code, reason, metadata: &[(&str, &str)]| status(code, DOMAIN, reason, &message, metadata);
        match &error {
            Error::Field { field, problem } => bad_request(DOMAIN, field, problem),
            Error::CredentialNotFound(id) => known(Code::NotFound, "CREDENTIAL_NOT_FOUND", &[("id", id)]),
            Error::ReferenceNotFound { kind, consumer } => {
                known(Code::NotFound, "REFERENCE_NOT_FOUND", &[("kind", kind), ("consumer", consumer)])
            }
            Error::TokenNotFound(id) => known(Code::NotFound, "TOKEN_NOT_FOUND", &[("id", id)]),
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
            Error::KeyPurpose { key_id, purpose } => known(
                Code::FailedPrecondition,
                "KEY_PURPOSE",
                &[("key_id", key_id), ("purpose", purpose.as_str())],
            ),
            Error::KeyWithoutPrimary(id) => {
                known(Code::FailedPrecondition, "KEY_WITHOUT_PRIMARY", &[("key_id", id)])
            }
            Error::KeyVersionUnusable { kid, state } => known(
                Code::FailedPrecondition,
                "KEY_VERSION_UNUSABLE",
                &[("kid", &kid.to_string()), ("state", state.as_str())],
            ),
            Error::CiphertextInvalid => {
                known(Code::InvalidArgument, "CIPHERTEXT_INVALID", &[("field", "ciphertext")])
            }
            Error::PermissionMissing { method, permission } => permission_denied(DOMAIN, method, permission),
            Error::Unimplemented(_) => known(Code::Unimplemented, "NOT_IMPLEMENTED", &[]),
            Error::Store(store) if store.kind() == Kind::Unavailable => unavailable(&error),
            Error::Tables(tables) if tables.kind() == strongroom_tables::Kind::Unavailable => {
                unavailable(&error)
            }
            Error::Startup(_)
            | Error::Runtime(_)
            | Error::Store(_)
            | Error::Crypto(_)
            | Error::Tables(_)
            | Error::Computation(_)
            | Error::Inconsistent(_) => internal(&error),
        }
    }
}

/// The cause stays in the log: a driver's message may quote what a row holds.
fn unavailable(error: &Error) -> Status {
    tracing::warn!(%error, "the database is not available");
    let message = "the vault's database is not available; nothing was changed, try again";
    status(Code::Unavailable, DOMAIN, "DATABASE_UNAVAILABLE", message, &[])
}

fn internal(error: &Error) -> Status {
    tracing::error!(%error, "a call failed inside the vault");
    let message = "the vault could not do this; its log says why";
    status(Code::Internal, DOMAIN, "INTERNAL", message, &[])
}
