//! The ledger of needed key versions in SQLite.

use async_trait::async_trait;
use strongroom_store::Result;

use super::append::append;
use super::{Connection, Store};
use crate::store::columns::CountedColumn;
use crate::store::ledger::{
    ARE_UNPINNED, CENSUS, COUNT_COLUMNS, COUNT_PINS, DESTROYED, FORGET_CENSUS, FORGET_LAPSED_PINS,
    FORGET_PINS, HELD, INSERT_CENSUS, INSERT_PIN, PIN_LIVE, PINNED, PINS, SOME_PINS, count_by_version,
    count_of_version, is_narrowed,
};
use crate::store::{ArchiveNeeds, CensusRow, LedgerStore, Needs, NewEvent, PinRow};

#[async_trait]
impl LedgerStore for Store {
    async fn count_values(&self, column: &CountedColumn) -> Result<Vec<(String, i64)>> {
        let mut query = count_by_version(column);
        Ok(query.build_query_as().fetch_all(self.reader()).await?)
    }

    async fn census(&self) -> Result<Vec<CensusRow>> {
        Ok(sqlx::query_as(CENSUS).fetch_all(self.reader()).await?)
    }

    async fn report_census(&self, rows: &[CensusRow], event: &NewEvent) -> Result<()> {
        let mut tx = self.begin_alone().await?;
        if let Some(row) = rows.first() {
            sqlx::query(FORGET_CENSUS)
                .bind(&row.source)
                .bind(&row.column_name)
                .bind(&row.key_id)
                .execute(&mut *tx)
                .await?;
        }
        for row in rows {
            sqlx::query(INSERT_CENSUS)
                .bind(&row.source)
                .bind(&row.column_name)
                .bind(&row.key_id)
                .bind(&row.kid)
                .bind(row.value_count)
                .bind(row.time)
                .execute(&mut *tx)
                .await?;
        }
        append(&mut tx, event).await?;
        Ok(tx.commit().await?)
    }

    async fn needs(&self, kid: &str, columns: &[CountedColumn], now: i64) -> Result<Needs> {
        let mut reader = self.reader().acquire().await?;
        let mut rows = 0;
        for column in columns {
            let mut query = count_of_version(column, kid);
            rows += query.build_query_scalar::<i64>().fetch_one(&mut *reader).await?;
        }
        let columns = sqlx::query_scalar(COUNT_COLUMNS).bind(kid).fetch_one(&mut *reader).await?;
        let archives = sqlx::query_scalar(COUNT_PINS).bind(kid).bind(now).fetch_one(&mut *reader).await?;
        let some_archives = sqlx::query_scalar(SOME_PINS).bind(kid).bind(now).fetch_all(&mut *reader).await?;
        Ok(Needs { rows, columns, archives, some_archives })
    }

    async fn pin_live_versions(
        &self,
        archive_id: &str,
        expire_time: i64,
        now: i64,
        event: &NewEvent,
    ) -> Result<Vec<(String, String)>> {
        let mut snapshot = self.pools.begin_snapshot().await?;
        let lacks: bool = sqlx::query_scalar(ARE_UNPINNED)
            .bind(archive_id)
            .bind(expire_time)
            .bind(now)
            .fetch_one(&mut *snapshot)
            .await?;
        let pinned = sqlx::query_as(PINNED).bind(archive_id).fetch_all(&mut *snapshot).await?;
        drop(snapshot);
        if !lacks {
            return Ok(pinned);
        }
        let mut tx = self.begin_alone().await?;
        sqlx::query(FORGET_LAPSED_PINS).bind(now).execute(&mut *tx).await?;
        sqlx::query(PIN_LIVE).bind(archive_id).bind(expire_time).execute(&mut *tx).await?;
        let pinned = sqlx::query_as(PINNED).bind(archive_id).fetch_all(&mut *tx).await?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(pinned)
    }

    async fn narrow_pins(&self, archive_id: &str, needs: &ArchiveNeeds, event: &NewEvent) -> Result<()> {
        let mut snapshot = self.pools.begin_snapshot().await?;
        let held = sqlx::query_as(HELD).bind(archive_id).fetch_all(&mut *snapshot).await?;
        let destroyed = sqlx::query_scalar(DESTROYED).fetch_all(&mut *snapshot).await?;
        drop(snapshot);
        if is_narrowed(&held, &destroyed, needs) {
            return Ok(());
        }
        let mut tx = self.begin_alone().await?;
        narrow(&mut tx, archive_id, needs).await?;
        append(&mut tx, event).await?;
        Ok(tx.commit().await?)
    }

    async fn release_pins(&self, archive_id: &str, event: &NewEvent) -> Result<bool> {
        let mut tx = self.begin_alone().await?;
        let released = sqlx::query(FORGET_PINS).bind(archive_id).execute(&mut *tx).await?;
        if released.rows_affected() == 0 {
            return Ok(false);
        }
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn pins(&self, now: i64) -> Result<Vec<PinRow>> {
        Ok(sqlx::query_as(PINS).bind(now).fetch_all(self.reader()).await?)
    }
}

/// Replaces the pins of an archive.
pub(super) async fn narrow(tx: &mut Connection, archive_id: &str, needs: &ArchiveNeeds) -> Result<()> {
    sqlx::query(FORGET_PINS).bind(archive_id).execute(&mut *tx).await?;
    for kid in &needs.kids {
        let insert = sqlx::query(INSERT_PIN).bind(archive_id).bind(kid).bind(needs.expire_time);
        insert.execute(&mut *tx).await?;
    }
    Ok(())
}
