//! The vault's own doorkeeper.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::future::Cache;
use sha2::{Digest as _, Sha256};
use strongroom_runtime::{Authenticator, Caller, Principal};
use tonic::Status;

use crate::DOMAIN;
use crate::audit::outcome;
use crate::error::Error;
use crate::vault::Vault;

/// A revocation must be felt within five seconds, also in another replica.
const REMEMBERED: Duration = Duration::from_secs(2);
const MAX_REMEMBERED: u64 = 10_000;

/// Knows tokens by their SHA-256, for two seconds each.
pub(crate) struct Access {
    vault: Arc<Vault>,
    known: Cache<[u8; 32], Option<Principal>>,
}

impl Access {
    pub(crate) fn new(vault: Arc<Vault>) -> Self {
        let known = Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(REMEMBERED).build();
        Self { vault, known }
    }
}

#[async_trait]
impl Authenticator for Access {
    fn domain(&self) -> &'static str {
        DOMAIN
    }

    async fn authenticate(&self, token: &str) -> Result<Option<Principal>, Status> {
        let key: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let found = self.known.try_get_with(key, self.vault.principal(token)).await;
        found.map_err(|error: Arc<Error>| match Arc::try_unwrap(error) {
            Ok(error) => error.into(),
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
