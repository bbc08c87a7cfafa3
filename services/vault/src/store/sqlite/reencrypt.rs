//! Re-encryption in SQLite.

use async_trait::async_trait;
use strongroom_store::Result;

use super::Store;
use super::append::append;
use super::reseal::replace_values;
use crate::store::columns::SealedColumn;
use crate::store::reencrypt::{
    ADVANCE, FINISH, INSERT, LEASE, RELEASE, SELECT_BY_ID, SELECT_RUNNING, count_sealed_by_others,
    sealed_by_others,
};
use crate::store::{Lease, NewEvent, ReencryptJobRow, ReencryptStore, Resealed, SealedRow};

#[async_trait]
impl ReencryptStore for Store {
    async fn start_reencrypt(&self, job: &ReencryptJobRow, event: &NewEvent) -> Result<ReencryptJobRow> {
        let mut tx = self.begin_alone().await?;
        if let Some(running) = sqlx::query_as(SELECT_RUNNING).fetch_optional(&mut *tx).await? {
            return Ok(running);
        }
        sqlx::query(INSERT)
            .bind(&job.id)
            .bind(job.state.as_str())
            .bind(job.rows_per_second)
            .bind(job.rows_done)
            .bind(job.rows_left)
            .bind(job.start_time)
            .bind(&job.lease_owner)
            .bind(job.lease_until)
            .execute(&mut *tx)
            .await?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(job.clone())
    }

    async fn reencrypt_job(&self, id: &str) -> Result<Option<ReencryptJobRow>> {
        Ok(sqlx::query_as(SELECT_BY_ID).bind(id).fetch_optional(self.reader()).await?)
    }

    async fn running_reencrypt(&self) -> Result<Option<ReencryptJobRow>> {
        Ok(sqlx::query_as(SELECT_RUNNING).fetch_optional(self.reader()).await?)
    }

    async fn lease_reencrypt(&self, lease: &Lease, rows_left: i64, now: i64) -> Result<bool> {
        let mut tx = self.begin().await?;
        let taken = sqlx::query(LEASE)
            .bind(&lease.job_id)
            .bind(&lease.owner)
            .bind(lease.until)
            .bind(rows_left)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(taken.rows_affected() == 1)
    }

    async fn release_reencrypt(&self, job_id: &str, owner: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(RELEASE).bind(job_id).bind(owner).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    async fn sealed_by_others(
        &self,
        column: &SealedColumn,
        kid: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<SealedRow>> {
        let mut query = sealed_by_others(column, kid, after, limit);
        Ok(query.build_query_as().fetch_all(self.reader()).await?)
    }

    async fn recode_rows(&self) -> Result<Option<i64>> {
        match self.codes.followed()? {
            Some(kid) => Ok(Some(self.recode_all(&kid).await?)),
            None => Ok(None),
        }
    }

    async fn count_sealed_by_others(&self, column: &SealedColumn, kid: &str) -> Result<i64> {
        let mut query = count_sealed_by_others(column, kid);
        Ok(query.build_query_scalar().fetch_one(self.reader()).await?)
    }

    async fn write_resealed(
        &self,
        lease: &Lease,
        column: &SealedColumn,
        rows: &[Resealed],
    ) -> Result<Option<i64>> {
        let mut tx = self.begin().await?;
        let mut query = replace_values(column, rows);
        let written = query.build().execute(&mut *tx).await?.rows_affected();
        let written = i64::try_from(written).unwrap_or(i64::MAX);
        let held = sqlx::query(ADVANCE)
            .bind(&lease.job_id)
            .bind(&lease.owner)
            .bind(lease.until)
            .bind(written)
            .execute(&mut *tx)
            .await?;
        if held.rows_affected() == 0 {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(written))
    }

    async fn finish_reencrypt(
        &self,
        lease: &Lease,
        rows_left: i64,
        now: i64,
        event: &NewEvent,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(FINISH)
            .bind(&lease.job_id)
            .bind(&lease.owner)
            .bind(rows_left)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }
}
