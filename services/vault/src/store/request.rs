//! Requests that must be done once, however often they are sent (AIP-155).

use async_trait::async_trait;
use sqlx_macros::FromRow;
use strongroom_store::Result;

/// How long a request is remembered, in microseconds: a day.
pub(crate) const KEPT: i64 = 24 * 60 * 60 * 1_000_000;

/// The `requests` table.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct RequestRow {
    /// Who asked.
    pub principal: String,
    /// For what.
    pub method: String,
    /// A UUID of the caller's.
    pub request_id: String,
    /// A keyed digest of the request: `<kid>.<hex>`.
    pub digest: String,
    /// What it made or changed.
    pub result_id: String,
    /// When it was done.
    pub create_time: i64,
}

/// What became of something to be done once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Once<T> {
    /// It was done now.
    First(T),
    /// This request came before, and nothing was done.
    Repeated(RequestRow),
}

/// Requests in the database. They are claimed by what they do, in its transaction.
#[async_trait]
pub(crate) trait RequestStore: Send + Sync {
    /// An earlier request that is still remembered.
    async fn request(
        &self,
        principal: &str,
        method: &str,
        request_id: &str,
        now: i64,
    ) -> Result<Option<RequestRow>>;
    /// Forgets what is over: requests older than a day, and previous secrets whose grace has passed. How many.
    async fn sweep(&self, now: i64) -> Result<u64>;
}

pub(super) const SELECT: &str = "
    SELECT principal, method, request_id, digest, result_id, create_time FROM requests
    WHERE principal = $1 AND method = $2 AND request_id = $3 AND create_time > $4";

/// Touches no row when the request came before. `$7`: what is older is forgotten.
pub(super) const CLAIM: &str = "
    INSERT INTO requests (principal, method, request_id, digest, result_id, create_time)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (principal, method, request_id) DO UPDATE
    SET digest = excluded.digest, result_id = excluded.result_id, create_time = excluded.create_time
    WHERE requests.create_time <= $7";

pub(super) const SWEEP: &str = "DELETE FROM requests WHERE create_time <= $1";
