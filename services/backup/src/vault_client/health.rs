//! Checks whether the vault is available, and whether it accepts this service.

use strongroom_api::vault::v1::IntrospectTokenRequest;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

use super::client::{VaultClient, limited};
use crate::error::Result;

impl VaultClient {
    /// Whether the vault reports that it can serve.
    pub(crate) async fn is_serving(&self) -> Result<bool> {
        let request = limited(HealthCheckRequest { service: String::new() });
        let answer = self.health.clone().check(request).await.map_err(|status| self.error(status))?;
        Ok(answer.into_inner().status() == ServingStatus::Serving)
    }

    /// Sends an empty introspection, which needs the same permission that this service needs for every call of a
    /// client.
    ///
    /// # Errors
    /// [`crate::Error::VaultRefused`] if its token is not valid, or has another role.
    pub(crate) async fn admits_us(&self) -> Result<()> {
        let request = limited(IntrospectTokenRequest::default());
        self.tokens.clone().introspect_token(request).await.map_err(|status| self.error(status))?;
        Ok(())
    }
}
