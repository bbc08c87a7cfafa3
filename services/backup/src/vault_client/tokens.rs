//! Who a caller is, by its token or its certificate.

use std::sync::Arc;

use strongroom_api::vault::v1::{IntrospectIdentityRequest, IntrospectTokenRequest, Selector};
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
        principal(answer.principal, answer.name, answer.permissions, &answer.selectors).map(Some)
    }

    /// The principal of a certificate with these names; `None` when the vault has no identity with one of them.
    pub(crate) async fn introspect_identity(&self, names: &[String]) -> Result<Option<Principal>> {
        let request = limited(IntrospectIdentityRequest { names: names.to_vec() });
        let answer = self.tokens.clone().introspect_identity(request).await;
        let answer = answer.map_err(|status| self.error(status))?.into_inner();
        if !answer.active {
            return Ok(None);
        }
        principal(answer.principal, answer.name, answer.permissions, &answer.selectors).map(Some)
    }
}

fn principal(
    id: String,
    name: String,
    permissions: Vec<String>,
    selectors: &[Selector],
) -> Result<Principal> {
    let permissions = Arc::new(permissions.into_iter().collect());
    let selectors = Arc::new(Selectors::from_proto(selectors).map_err(Error::Defect)?);
    Ok(Principal { id, name, permissions, selectors })
}
