//! Signatures of manifests in PostgreSQL.

use async_trait::async_trait;
use strongroom_store::Result;

use super::Store;
use super::append::append;
use super::ledger::narrow;
use crate::store::signature::{COUNT_PINS_OF, FIND, INSERT};
use crate::store::{ArchiveNeeds, NewEvent, SignatureRow, SignatureStore, Signed};

#[async_trait]
impl SignatureStore for Store {
    async fn record_signature(
        &self,
        row: &SignatureRow,
        needs: Option<(&ArchiveNeeds, &NewEvent)>,
        event: &NewEvent,
    ) -> Result<Signed> {
        let mut tx = self.begin_alone().await?;
        if let Some(before) = sqlx::query_as(FIND).bind(&row.archive_id).fetch_optional(&mut *tx).await? {
            return Ok(Signed::Before(before));
        }
        let pins: i64 = sqlx::query_scalar(COUNT_PINS_OF)
            .bind(&row.archive_id)
            .bind(row.time)
            .fetch_one(&mut *tx)
            .await?;
        if pins == 0 {
            return Ok(Signed::Unpinned);
        }
        sqlx::query(INSERT)
            .bind(&row.archive_id)
            .bind(&row.sha256)
            .bind(&row.kid)
            .bind(&row.signature)
            .bind(row.time)
            .execute(&mut *tx)
            .await?;
        append(&mut tx, event).await?;
        if let Some((needs, event)) = needs {
            narrow(&mut tx, &row.archive_id, needs).await?;
            append(&mut tx, event).await?;
        }
        tx.commit().await?;
        Ok(Signed::Done)
    }
}
