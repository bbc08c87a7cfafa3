//! Whether the vault is there, and whether it admits this service.

use strongroom_api::vault::v1::IntrospectTokenRequest;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

use super::client::{VaultClient, limited};
use crate::error::Result;

impl VaultClient {
    /// Whether the vault says that it can serve.
    pub(crate) async fn is_serving(&self) -> Result<bool> {
        let request = limited(HealthCheckRequest { service: String::new() });
        let answer = self.health.clone().check(request).await.map_err(|status| self.error(status))?;
        Ok(answer.into_inner().status() == ServingStatus::Serving)
    }

    /// Asks about nobody, for which this service needs the permission that it needs for every call of others.
    ///
    /// # Errors
    /// [`crate::Error::VaultRefused`] when its token is not valid, or of another role.
    pub(crate) async fn admits_us(&self) -> Result<()> {
        let request = limited(IntrospectTokenRequest::default());
        self.tokens.clone().introspect_token(request).await.map_err(|status| self.error(status))?;
        Ok(())
    }
}
