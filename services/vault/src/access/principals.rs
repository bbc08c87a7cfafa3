//! Tokens that were checked a moment ago, by their SHA-256.
//!
//! A revocation is felt at once here and after the two seconds in another replica: within the five that
//! `RevokeToken` promises, with the backup service's three on top.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use sha2::{Digest as _, Sha256};
use strongroom_runtime::Principal;

use crate::error::{Error, Result};

const REMEMBERED: Duration = Duration::from_secs(2);
const MAX_REMEMBERED: u64 = 10_000;

/// A short memory; `None` remembers that a token is not valid.
pub(crate) struct Principals(Cache<[u8; 32], Option<Principal>>);

impl Principals {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(REMEMBERED).build())
    }

    /// What is remembered of `token`, or else what `look_up` finds. Calls with the same token share one
    /// look-up; a failed one is not remembered.
    pub(crate) async fn get_or(
        &self,
        token: &str,
        look_up: impl Future<Output = Result<Option<Principal>>>,
    ) -> Result<Option<Principal>, Arc<Error>> {
        self.0.try_get_with(Sha256::digest(token.as_bytes()).into(), look_up).await
    }

    /// Forgets everybody, so that the next call of each looks again.
    pub(crate) fn forget(&self) {
        self.0.invalidate_all();
    }
}
