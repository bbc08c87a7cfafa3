//! What the vault can answer, by what the caller can do about it, and the only translation to gRPC.

use std::sync::Arc;

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
    /// The caller may not do this.
    #[error("{method} needs the permission {permission}")]
    PermissionMissing {
        /// What was called.
        method: &'static str,
        /// What is missing.
        permission: String,
    },
    /// The events of reveals could not be committed; all that shared the commit get the same cause.
    #[error("the audit log cannot be written; nothing was revealed: {0}")]
    AuditUnavailable(#[source] Arc<strongroom_store::Error>),
    /// The token of a running stream was revoked or has expired.
    #[error("the token is unknown, expired or revoked")]
    TokenEnded,
    /// The process ends, and with it a stream that has no end of its own.
    #[error("the vault is stopping; call again and go on from the last event received")]
    Stopping,
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
            Error::PermissionMissing { method, permission } => permission_denied(DOMAIN, method, permission),
            Error::TokenEnded => known(Code::Unauthenticated, "UNAUTHENTICATED", &[]),
            Error::Stopping => known(Code::Unavailable, "STOPPING", &[]),
            Error::Unimplemented(_) => known(Code::Unimplemented, "NOT_IMPLEMENTED", &[]),
            Error::AuditUnavailable(_) => audit_unavailable(&error, "nothing was revealed"),
            Error::Store(strongroom_store::Error::Audit(_)) => {
                audit_unavailable(&error, "nothing was changed")
            }
            Error::Store(store) if store.kind() == Kind::Unavailable => unavailable(&error),
            Error::Tables(tables) if tables.kind() == strongroom_tables::Kind::Unavailable => {
                unavailable(&error)
            }
            Error::Startup(_)
            | Error::Runtime(_)
            | Error::Store(_)
            | Error::Crypto(_)
            | Error::Tables(_)
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

fn audit_unavailable(error: &Error, so: &str) -> Status {
    tracing::error!(%error, "the audit log cannot be written");
    let message = format!("the audit log cannot be written; {so}, try again once it can");
    status(Code::Unavailable, DOMAIN, "AUDIT_UNAVAILABLE", &message, &[])
}

fn internal(error: &Error) -> Status {
    tracing::error!(%error, "a call failed inside the vault");
    let message = "the vault could not do this; its log says why";
    status(Code::Internal, DOMAIN, "INTERNAL", message, &[])
}
