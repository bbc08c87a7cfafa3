//! Requests that are carried out once, however often they are sent (AIP-155).

use async_trait::async_trait;
use sqlx_macros::FromRow;
use strongroom_store::Result;

/// Retention of a request, in microseconds: a day.
pub(crate) const KEPT: i64 = 24 * 60 * 60 * 1_000_000;

/// The `requests` table.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct RequestRow {
    /// The caller.
    pub principal: String,
    /// The called method.
    pub method: String,
    /// A UUID made by the caller.
    pub request_id: String,
    /// A keyed digest of the request: `<kid>.<hex>`.
    pub digest: String,
    /// Id of the created or changed row.
    pub result_id: String,
    /// Time when it was carried out.
    pub create_time: i64,
}

/// Result of a change that is made once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Once<T> {
    /// The change was made now.
    First(T),
    /// This request was made before; nothing was changed.
    Repeated(RequestRow),
}

/// Requests in the database. The transaction of the requested change claims its request.
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
    /// Deletes what has expired: requests older than a day, and previous secrets after their grace period. Returns the
    /// number of rows.
    async fn sweep(&self, now: i64) -> Result<u64>;
}

pub(super) const SELECT: &str = "
    SELECT principal, method, request_id, digest, result_id, create_time FROM requests
    WHERE principal = $1 AND method = $2 AND request_id = $3 AND create_time > $4";

/// Affects no row if the request was made before. Requests from `$7` or earlier count as forgotten.
pub(super) const CLAIM: &str = "
    INSERT INTO requests (principal, method, request_id, digest, result_id, create_time)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (principal, method, request_id) DO UPDATE
    SET digest = excluded.digest, result_id = excluded.result_id, create_time = excluded.create_time
    WHERE requests.create_time <= $7";

pub(super) const SWEEP: &str = "DELETE FROM requests WHERE create_time <= $1";
