//! Who a caller is.

use std::sync::Arc;

use strongroom_api::vault::v1::IntrospectTokenRequest;
use strongroom_runtime::{Principal, Selectors};

use super::client::{VaultClient, limited};
use crate::error::{Error, Result};

impl VaultClient {
    /// The principal of a caller's token; `None` when the token is not valid (any more).
    pub(crate) async fn introspect(&self, token: &str) -> Result<Option<Principal>> {
        let request = limited(IntrospectTokenRequest { token: token.to_owned() });
        let answer = self.tokens.clone().introspect_token(request).await;
        let answer = answer.map_err(|status| self.error(status))?.into_inner();
        if !answer.active {
            return Ok(None);
        }
        let permissions = Arc::new(answer.permissions.into_iter().collect());
        let selectors = Selectors::from_proto(&answer.selectors).map_err(Error::Defect)?;
        let selectors = Arc::new(selectors);
        Ok(Some(Principal { id: answer.principal, name: answer.name, permissions, selectors }))
    }
}
