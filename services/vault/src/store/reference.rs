//! Rows of references.

use async_trait::async_trait;
use sqlx::FromRow;
use strongroom_store::Result;

use super::{Changed, NewEvent};

/// The `credential_references` table.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ReferenceRow {
    /// What kind of consumer.
    pub kind: String,
    /// Its id or name within the kind.
    pub consumer: String,
    /// `None` after the credential was deleted.
    pub credential_id: Option<String>,
    /// Empty when any provider will do.
    pub needs_provider: String,
    /// When it was first bound.
    pub create_time: i64,
    /// When it was last bound or released.
    pub update_time: i64,
}

/// Which references to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReferenceFilter {
    /// Empty matches all.
    pub credential_id: String,
    /// Empty matches all.
    pub kind: String,
}

/// References in the database.
#[async_trait]
pub(crate) trait ReferenceStore: Send + Sync {
    /// Binds or binds again; `create_time` of an earlier row stays. `Missing` when the credential is.
    async fn bind_reference(&self, row: &ReferenceRow, event: &NewEvent) -> Result<Changed<ReferenceRow>>;
    /// References above `after` (kind, consumer), by kind and consumer.
    async fn references(
        &self,
        filter: &ReferenceFilter,
        after: (&str, &str),
        limit: i64,
    ) -> Result<Vec<ReferenceRow>>;
    /// Removes a reference; false when there was none.
    async fn release_reference(&self, kind: &str, consumer: &str, event: &NewEvent) -> Result<bool>;
}

pub(super) const SELECT: &str = "
    SELECT kind, consumer, credential_id, needs_provider, create_time, update_time
    FROM credential_references";

pub(super) const BIND: &str = "
    INSERT INTO credential_references (kind, consumer, credential_id, needs_provider, create_time, update_time)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (kind, consumer) DO UPDATE
    SET credential_id = excluded.credential_id,
        needs_provider = excluded.needs_provider,
        update_time = excluded.update_time
    RETURNING kind, consumer, credential_id, needs_provider, create_time, update_time";

pub(super) const RELEASE: &str = "DELETE FROM credential_references WHERE kind = $1 AND consumer = $2";
