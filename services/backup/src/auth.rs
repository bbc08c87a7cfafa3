//! Authenticates callers: asks the vault and caches its answer for seconds.
//!
//! A revocation must take effect within 5 s, so an answer is cached for 3 s. A failed question is never
//! cached, and concurrent calls with the same token share one question. A token's text is wiped as soon as it is
//! hashed: the question to the vault carries the hash, and no call of this service carries anything that would let
//! somebody else call as the token's holder. The names of certificates, which may be long, are cached as their SHA-256.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::future::Cache;
use sha2::{Digest as _, Sha256};
use strongroom_api::vault::v1::{AuditOutcome, ServiceEvent};
use strongroom_crypto::Token;
use strongroom_runtime::status::{reason_of, status};
use strongroom_runtime::{Authenticator, Caller, Principal};
use tonic::{Code, Status};
use zeroize::Zeroizing;

use crate::error::{DOMAIN, Error};
use crate::vault_client::VaultClient;

const KEPT: Duration = Duration::from_secs(3);
/// Maximum number of cached answers of each kind.
const ANSWERS: u64 = 10_000;
/// The vault's reason for refusing a certificate that matches several identities.
const AMBIGUOUS: &str = "IDENTITY_AMBIGUOUS";

type Answers = Cache<[u8; 32], Option<Principal>>;

pub(crate) struct VaultAuthenticator {
    vault: VaultClient,
    tokens: Answers,
    identities: Answers,
}

impl VaultAuthenticator {
    pub(crate) fn create(vault: VaultClient) -> Self {
        let answers = || Cache::builder().max_capacity(ANSWERS).time_to_live(KEPT).build();
        Self { vault, tokens: answers(), identities: answers() }
    }
}

#[async_trait]
impl Authenticator for VaultAuthenticator {
    fn domain(&self) -> &'static str {
        DOMAIN
    }

    async fn authenticate(&self, token: Zeroizing<String>) -> Result<Option<Principal>, Status> {
        let hash = Token::parse(&token).map(|token| token.introspect_hash());
        drop(token);
        // A text that is not a token needs no call to the vault.
        let Ok(hash) = hash else { return Ok(None) };
        let asked = self.tokens.try_get_with(hash, self.vault.introspect(&hash)).await;
        // The vault's state is already in the log; one line per call would let callers fill the log.
        asked.map_err(|error: Arc<Error>| error.status())
    }

    async fn identity(&self, names: &[String]) -> Result<Option<Principal>, Status> {
        let asked = self.identities.try_get_with(digest(names), self.vault.introspect_identity(names)).await;
        asked.map_err(|error: Arc<Error>| match error.as_ref() {
            Error::VaultFailed { source } if reason_of(source) == AMBIGUOUS => {
                status(Code::Unauthenticated, DOMAIN, AMBIGUOUS, source.message(), &[])
            }
            _ => error.status(),
        })
    }

    async fn denied(&self, caller: &Caller, method: &str, permission: &str) {
        let event = ServiceEvent {
            event: "access.denied".to_owned(),
            target: method.to_owned(),
            metadata: HashMap::from([(
                "permission".to_owned(),
                serde_json::Value::from(permission).to_string(),
            )]),
            trace_id: caller.trace_id.clone(),
            outcome: AuditOutcome::Denied.into(),
            ..ServiceEvent::default()
        };
        if let Err(error) = self.vault.record(&caller.principal.delegation, event).await {
            tracing::error!(%error, actor = caller.principal.id, method, "a refusal could not be recorded in the audit log");
        }
    }
}

/// SHA-256 of the concatenated names, each preceded by its length.
fn digest(names: &[String]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for name in names {
        hasher.update((name.len() as u64).to_be_bytes());
        hasher.update(name);
    }
    hasher.finalize().into()
}
