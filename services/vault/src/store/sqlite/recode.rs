//! Seals rows that grant access again in SQLite, after their key was rotated.

use sqlx::{AssertSqlSafe, FromRow};
use strongroom_store::{Error, Result};
use tokio_stream::StreamExt as _;

use super::{Database, Store};
use crate::store::granting::{Granting, Sealed};
use crate::store::person::PersonIdentityRow;
use crate::store::{
    CredentialRow, KeyRequestRow, PersonRequestRow, PersonRow, ReferenceRow, TokenRow, VersionRow,
};

/// Rows in one transaction.
const BATCH: usize = 200;

type Row = <Database as sqlx::Database>::Row;

impl Store {
    /// Seals every row of every table that was sealed by a version other than `kid`, the primary one.
    pub(super) async fn recode_all(&self, kid: &str) -> Result<i64> {
        Ok(self.recode::<TokenRow>(kid).await?
            + self.recode::<CredentialRow>(kid).await?
            + self.recode::<ReferenceRow>(kid).await?
            + self.recode::<VersionRow>(kid).await?
            + self.recode::<KeyRequestRow>(kid).await?
            + self.recode::<PersonRow>(kid).await?
            + self.recode::<PersonIdentityRow>(kid).await?
            + self.recode::<PersonRequestRow>(kid).await?)
    }

    async fn recode<R>(&self, kid: &str) -> Result<i64>
    where
        R: Granting + for<'r> FromRow<'r, Row> + Send + Sync + Unpin,
        Sealed<R>: for<'r> FromRow<'r, Row>,
    {
        let mut reader = self.reader().acquire().await?;
        let select = format!("SELECT * FROM ({}) sealed WHERE row_kid <> $1", R::SELECT);
        let mut rows = sqlx::query_as(AssertSqlSafe(select)).bind(kid).fetch(&mut *reader);
        let (mut batch, mut done) = (Vec::new(), 0);
        while let Some(sealed) = rows.next().await {
            batch.push(sealed?);
            if batch.len() == BATCH {
                done += self.write_codes(std::mem::take(&mut batch)).await?;
            }
        }
        drop(rows);
        done += self.write_codes(batch).await?;
        Ok(done)
    }

    /// A row that was changed since it was read already has a MAC of the newer version.
    async fn write_codes<R: Granting + Send + Sync>(&self, rows: Vec<Sealed<R>>) -> Result<i64> {
        if rows.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let mut done = 0;
        let table = R::TABLE;
        let update =
            format!("UPDATE {table} SET row_kid = $1, row_mac = $2 WHERE row_mac = $3 AND {}", R::KEY);
        for sealed in rows {
            // A tampered row is left as it is.
            let Ok(old) = sealed.unchecked().map(|(_, seal)| seal.clone()) else { continue };
            let row = match self.codes.open(sealed) {
                Ok(row) => row,
                Err(Error::Tampered { .. }) => continue,
                Err(error) => return Err(error),
            };
            let seal = self.codes.seal_as(&row, old.change_id)?;
            let mut query = sqlx::query(AssertSqlSafe(update.clone()));
            query = query.bind(seal.row_kid).bind(seal.row_mac).bind(old.row_mac);
            for part in row.key() {
                query = query.bind(part);
            }
            done += query.execute(&mut *tx).await?.rows_affected();
        }
        tx.commit().await?;
        Ok(i64::try_from(done).unwrap_or(i64::MAX))
    }
}
