//! The vault's own doorkeeper.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_runtime::{Authenticator, Caller, Principal};
use tonic::Status;

use crate::DOMAIN;
use crate::audit::outcome;
use crate::vault::Vault;

/// Lets in whom the vault knows.
pub(crate) struct Access {
    vault: Arc<Vault>,
}

impl Access {
    pub(crate) fn new(vault: Arc<Vault>) -> Self {
        Self { vault }
    }
}

#[async_trait]
impl Authenticator for Access {
    fn domain(&self) -> &'static str {
        DOMAIN
    }

    async fn authenticate(&self, token: &str) -> Result<Option<Principal>, Status> {
        self.vault.known_principal(token).await.map_err(|error| match Arc::try_unwrap(error) {
            Ok(error) => error.into(),
            // Another call was told the whole of it.
            Err(shared) => Status::unavailable(shared.to_string()),
        })
    }

    async fn denied(&self, caller: &Caller, method: &str, permission: &str) {
        let event = self.vault.event(caller, "access.denied", method);
        let event = event.outcome(outcome::DENIED).with("permission", permission).finish();
        if let Err(error) = self.vault.store.append_event(&event).await {
            tracing::error!(%error, method, actor = %caller.principal.id, "a denied call could not be recorded");
        }
    }
}
