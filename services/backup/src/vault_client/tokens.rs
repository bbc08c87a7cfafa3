//! Identifies a caller by its token or its certificate.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use strongroom_api::vault::v1::{
    CheckDelegationRequest, IntrospectIdentityRequest, IntrospectTokenRequest, Selector,
};
use strongroom_runtime::status::reason_of;
use strongroom_runtime::{Delegation, Principal, Selectors};

use super::client::{VaultClient, limited};
use crate::error::{Error, Result};

impl VaultClient {
    /// The principal of the token with this introspection hash; `None` if the token is not (or no longer) valid.
    pub(crate) async fn introspect(&self, hash: &[u8; 32]) -> Result<Option<Principal>> {
        let introspect_hash = Bytes::copy_from_slice(hash);
        let request = limited(IntrospectTokenRequest { introspect_hash });
        let answer = self.tokens.clone().introspect_token(request).await;
        let answer = answer.map_err(|status| self.error(status))?.into_inner();
        if answer.stale {
            return Err(Error::TokenStale(answer.stale_token_id));
        }
        if !answer.active {
            return Ok(None);
        }
        let (permissions, selectors) = rights(answer.permissions, &answer.selectors)?;
        let (id, name) = (answer.principal, answer.name);
        let delegation = Delegation::new(answer.delegation);
        Ok(Some(Principal { id, name, permissions, selectors, delegation, token_hash: Vec::new() }))
    }

    /// The principal of a certificate with these names; `None` if the vault has no identity with one of them.
    pub(crate) async fn introspect_identity(&self, names: &[String]) -> Result<Option<Principal>> {
        let request = limited(IntrospectIdentityRequest { names: names.to_vec() });
        let answer = self.tokens.clone().introspect_identity(request).await;
        let answer = answer.map_err(|status| self.error(status))?.into_inner();
        if !answer.active {
            return Ok(None);
        }
        let (permissions, selectors) = rights(answer.permissions, &answer.selectors)?;
        let (id, name) = (answer.principal, answer.name);
        let delegation = Delegation::new(answer.delegation);
        Ok(Some(Principal { id, name, permissions, selectors, delegation, token_hash: Vec::new() }))
    }

    /// The principal that once made `delegation`, and a new delegation of `permission`; `None` if the principal has
    /// lost that permission, or if this vault does not (or no longer) know the delegation.
    pub(crate) async fn renew_delegation(
        &self,
        delegation: &[u8],
        permission: &str,
    ) -> Result<Option<(String, Delegation)>> {
        let delegation = Bytes::copy_from_slice(delegation);
        let request = limited(CheckDelegationRequest { delegation, permission: permission.to_owned() });
        match self.tokens.clone().check_delegation(request).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                Ok(answer.permitted.then(|| (answer.principal, Delegation::new(answer.delegation))))
            }
            Err(status) if reason_of(&status).starts_with("DELEGATION_") => Ok(None),
            Err(status) => Err(self.error(status)),
        }
    }
}

fn rights(
    permissions: Vec<String>,
    selectors: &[Selector],
) -> Result<(Arc<BTreeSet<String>>, Arc<Selectors>)> {
    let selectors = Selectors::from_proto(selectors).map_err(Error::Defect)?;
    Ok((Arc::new(permissions.into_iter().collect()), Arc::new(selectors)))
}
