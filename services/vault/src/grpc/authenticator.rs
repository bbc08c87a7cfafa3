//! Authenticates the calls to the vault itself.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_runtime::status::status;
use strongroom_runtime::{Authenticator, Caller, Principal};
use tonic::{Code, Status};
use zeroize::Zeroizing;

use crate::access::{Identities, Tokens};
use crate::error::{DOMAIN, Error};

/// Admits callers with tokens that this vault issued or certificates that its configuration names.
pub(crate) struct OwnAuthenticator {
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) identities: Arc<Identities>,
}

#[async_trait]
impl Authenticator for OwnAuthenticator {
    fn domain(&self) -> &'static str {
        DOMAIN
    }

    async fn authenticate(&self, token: Zeroizing<String>) -> Result<Option<Principal>, Status> {
        self.tokens.known_principal(&token).await.map_err(|error| match Arc::try_unwrap(error) {
            Ok(error) => error.into(),
            // Other calls that shared the look-up hold the error too.
            Err(shared) => match shared.as_ref() {
                Error::TokenStale(id) => Error::TokenStale(id.clone()).into(),
                other => Status::unavailable(other.to_string()),
            },
        })
    }

    async fn identity(&self, names: &[String]) -> Result<Option<Principal>, Status> {
        self.identities.find(names).map_err(|error| ambiguous(&error))
    }

    async fn denied(&self, caller: &Caller, method: &str, permission: &str) {
        self.tokens.record_denied(caller, method, permission).await;
    }
}

/// UNAUTHENTICATED, because the ambiguous certificate is the caller's own. IntrospectIdentity, which asks about the
/// certificate of another service's caller, answers FAILED_PRECONDITION.
fn ambiguous(error: &Error) -> Status {
    status(Code::Unauthenticated, DOMAIN, "IDENTITY_AMBIGUOUS", &error.to_string(), &[])
}
