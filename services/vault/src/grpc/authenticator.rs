//! The vault as the authenticator of its own calls.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_runtime::{Authenticator, Caller, Principal};
use tonic::Status;

use crate::access::Tokens;
use crate::error::DOMAIN;

/// Admits callers whose tokens this vault issued.
pub(crate) struct TokenAuthenticator(pub(crate) Arc<Tokens>);

#[async_trait]
impl Authenticator for TokenAuthenticator {
    fn domain(&self) -> &'static str {
        DOMAIN
    }

    async fn authenticate(&self, token: &str) -> Result<Option<Principal>, Status> {
        self.0.known_principal(token).await.map_err(|error| match Arc::try_unwrap(error) {
            Ok(error) => error.into(),
            // Calls that shared the look-up hold the error too.
            Err(shared) => Status::unavailable(shared.to_string()),
        })
    }

    async fn denied(&self, caller: &Caller, method: &str, permission: &str) {
        self.0.record_denied(caller, method, permission).await;
    }
}
