//! The connection that all calls share, and the meaning of their failures.

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::vault::v1::audit_service_client::AuditServiceClient;
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_api::vault::v1::key_service_client::KeyServiceClient;
use strongroom_api::vault::v1::restore_grant_service_client::RestoreGrantServiceClient;
use strongroom_api::vault::v1::seal_service_client::SealServiceClient;
use strongroom_api::vault::v1::token_service_client::TokenServiceClient;
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_runtime::status::reason_of;
use tonic::{Code, Request, Status};
use tonic_health::pb::health_client::HealthClient;

use crate::error::{Error, Result};

/// Maximum duration of a call.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A client of the vault; clones share one connection.
///
/// Its calls fail with [`Error::VaultAway`], [`Error::VaultBusy`], [`Error::VaultRefused`] and [`Error::VaultFailed`].
#[derive(Clone)]
pub(crate) struct VaultClient {
    url: Arc<str>,
    pub(super) audit: AuditServiceClient<AuthorizedChannel>,
    pub(super) health: HealthClient<AuthorizedChannel>,
    pub(super) crypto: CryptoServiceClient<AuthorizedChannel>,
    pub(super) grants: RestoreGrantServiceClient<AuthorizedChannel>,
    pub(super) keys: KeyServiceClient<AuthorizedChannel>,
    pub(super) seals: SealServiceClient<AuthorizedChannel>,
    pub(super) tokens: TokenServiceClient<AuthorizedChannel>,
}

impl VaultClient {
    /// Connects at its first call.
    ///
    /// # Errors
    /// [`Error::Runtime`] for an unusable address or certificate.
    pub(crate) fn create(target: &Target, bearer: &Bearer) -> Result<Self> {
        let channel = target.authorized(bearer.clone())?;
        Ok(Self {
            url: target.url.as_str().into(),
            audit: AuditServiceClient::new(channel.clone()),
            health: HealthClient::new(channel.clone()),
            crypto: CryptoServiceClient::new(channel.clone()),
            grants: RestoreGrantServiceClient::new(channel.clone()),
            keys: KeyServiceClient::new(channel.clone()),
            seals: SealServiceClient::new(channel.clone()),
            tokens: TokenServiceClient::new(channel),
        })
    }

    /// The error for a failed call.
    pub(super) fn error(&self, status: Status) -> Error {
        vault_error(&self.url, status)
    }
}

/// The error for a status of the vault at `url`.
pub(crate) fn vault_error(url: &str, status: Status) -> Error {
    let source = Box::new(status);
    match source.code() {
        code if is_away(code) => Error::VaultAway { url: url.to_owned(), source },
        Code::ResourceExhausted => Error::VaultBusy { url: url.to_owned(), source },
        // The service's current token is valid, but the vault refuses the delegation or grant of the service's caller.
        // For example, the service's token was replaced after the delegation was made, the caller's token has ended, or
        // the operation took too long.
        Code::PermissionDenied if is_of_caller(&reason_of(&source)) => Error::VaultFailed { source },
        Code::Unauthenticated | Code::PermissionDenied => Error::VaultRefused { source },
        _ => Error::VaultFailed { source },
    }
}

/// Whether the caller's credentials are invalid, not the service's own token.
fn is_of_caller(reason: &str) -> bool {
    reason.starts_with("DELEGATION_") || reason.starts_with("GRANT_")
}

/// Codes of a peer that is missing, not ready, or lost during a call (tonic reports a broken connection as UNKNOWN or
/// CANCELLED).
pub(crate) fn is_away(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Cancelled)
}

/// A request with the time limit [`TIMEOUT`].
pub(super) fn limited<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(TIMEOUT);
    request
}
