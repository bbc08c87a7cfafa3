//! Uses in SQLite.

use async_trait::async_trait;
use sqlx::SqliteConnection;
use strongroom_store::Result;

use super::SqliteStore;
use super::audit::append_all;
use crate::store::audit::unwritable;
use crate::store::uses::latest_uses;
use crate::store::{NewEvent, Use, UseStore};

/// A use older than the one remembered changes nothing.
const MARK_USED: &str = "
    UPDATE credentials SET last_used_time = used.time
    FROM (SELECT value->>0 AS id, value->>1 AS time FROM json_each($1)) AS used
    WHERE credentials.id = used.id AND (last_used_time IS NULL OR last_used_time < used.time)";

#[async_trait]
impl UseStore for SqliteStore {
    async fn append_uses(&self, uses: &[Use]) -> Result<()> {
        let mut tx = self.begin().await?;
        mark_used(&mut tx, uses).await?;
        let events: Vec<&NewEvent> = uses.iter().map(|used| &used.event).collect();
        append_all(&mut tx, &events).await?;
        tx.commit().await.map_err(unwritable)
    }
}

async fn mark_used(tx: &mut SqliteConnection, uses: &[Use]) -> Result<()> {
    let latest: Vec<(&str, i64)> = latest_uses(uses).into_iter().collect();
    if !latest.is_empty() {
        sqlx::query(MARK_USED).bind(serde_json::json!(latest).to_string()).execute(tx).await?;
    }
    Ok(())
}
