//! The key ring in SQLite.

use async_trait::async_trait;
use strongroom_store::Result;

use super::SqliteStore;
use super::audit::append;
use crate::store::key::{
    COUNT_ROOT_KEYS, INSERT_KEY, INSERT_KEY_VERSION, INSERT_ROOT_KEY, KEY_VERSIONS, ROOT_KEYS,
};
use crate::store::{KeyStore, KeyVersionRow, NewEvent, RootKeyRow};

#[async_trait]
impl KeyStore for SqliteStore {
    async fn root_keys(&self) -> Result<Vec<RootKeyRow>> {
        Ok(sqlx::query_as(ROOT_KEYS).fetch_all(&self.pools.readers).await?)
    }

    async fn key_versions(&self) -> Result<Vec<KeyVersionRow>> {
        Ok(sqlx::query_as(KEY_VERSIONS).fetch_all(&self.pools.readers).await?)
    }

    async fn create_ring(
        &self,
        root: &RootKeyRow,
        versions: &[KeyVersionRow],
        event: &NewEvent,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let existing: i64 = sqlx::query_scalar(COUNT_ROOT_KEYS).fetch_one(&mut *tx).await?;
        if existing > 0 {
            return Ok(false);
        }
        sqlx::query(INSERT_ROOT_KEY)
            .bind(&root.id)
            .bind(&root.check_value)
            .bind(root.create_time)
            .execute(&mut *tx)
            .await?;
        for version in versions {
            sqlx::query(INSERT_KEY)
                .bind(&version.key_id)
                .bind(&version.purpose)
                .bind(version.create_time)
                .execute(&mut *tx)
                .await?;
            sqlx::query(INSERT_KEY_VERSION)
                .bind(&version.kid)
                .bind(&version.key_id)
                .bind(version.number)
                .bind(&version.state)
                .bind(&version.root_key_id)
                .bind(&version.wrapped)
                .bind(version.create_time)
                .execute(&mut *tx)
                .await?;
        }
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }
}
