//! A cache of checked tokens, by their SHA-256.
//!
//! A revocation takes effect at once in this process and within two seconds in other replicas. With the backup
//! service's three seconds on top, that is within the five seconds that `RevokeToken` promises.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use sha2::{Digest as _, Sha256};
use strongroom_runtime::Principal;
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

const REMEMBERED: Duration = Duration::from_secs(2);
const MAX_REMEMBERED: u64 = 10_000;
/// Concurrent look-ups: a client that sends made-up tokens leaves the other database connections to callers.
const LOOK_UPS: usize = 2;

/// A checked token's principal.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) principal: Principal,
    /// Earliest expiry of the token and its issuers.
    pub(crate) expire_time: Option<i64>,
}

/// Principals of checked tokens; `None` for an invalid token.
pub(crate) struct Principals {
    remembered: Cache<[u8; 32], Option<Known>>,
    look_ups: Semaphore,
}

impl Principals {
    pub(crate) fn new() -> Self {
        let remembered = Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(REMEMBERED).build();
        Self { remembered, look_ups: Semaphore::new(LOOK_UPS) }
    }

    /// The cached principal of `token`, or else the result of `look_up`. Calls with the same token share one look-up; a
    /// failed one is not cached.
    pub(crate) async fn get_or(
        &self,
        token: &str,
        look_up: impl Future<Output = Result<Option<Known>>>,
    ) -> Result<Option<Known>, Arc<Error>> {
        let in_turn = async {
            let _turn = self.look_ups.acquire().await;
            look_up.await
        };
        self.remembered.try_get_with(Sha256::digest(token.as_bytes()).into(), in_turn).await
    }

    /// Empties the cache.
    pub(crate) fn forget(&self) {
        self.remembered.invalidate_all();
    }
}
