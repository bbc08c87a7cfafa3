//! The key ring in SQLite.

use async_trait::async_trait;
use strongroom_store::{Result, expect_rows};

use super::append::append;
use super::change::Change;
use super::{Connection, Store};
use crate::store::key::{
    BUMP_RING, COUNT_KEY, COUNT_OTHER_ROOT, COUNT_ROOT_KEYS, DEMOTE_PRIMARY, DESTROY, INSERT_KEY,
    INSERT_KEY_VERSION, INSERT_NEXT_VERSION, INSERT_ROOT_KEY, KEY_VERSIONS, NEWEST_ROOT, PUT_ROOT_KEY,
    REWRAP, RING_REVISION, ROOT_KEYS, SET_STATE,
};
use crate::store::key_request::CONSUME;
use crate::store::ledger::COUNT_PINS;
use crate::store::{KeyStore, KeyVersionRow, NewEvent, NewVersion, RootKeyRow, StateChange};

#[async_trait]
impl KeyStore for Store {
    async fn root_keys(&self) -> Result<Vec<RootKeyRow>> {
        Ok(sqlx::query_as(ROOT_KEYS).fetch_all(self.reader()).await?)
    }

    async fn key_versions(&self) -> Result<Vec<KeyVersionRow>> {
        Ok(sqlx::query_as(KEY_VERSIONS).fetch_all(self.reader()).await?)
    }

    async fn create_ring(
        &self,
        root: &RootKeyRow,
        versions: &[KeyVersionRow],
        event: &NewEvent,
    ) -> Result<bool> {
        let mut tx = self.begin_alone().await?;
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
            insert_key(&mut tx, version).await?;
        }
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn ring_revision(&self) -> Result<i64> {
        Ok(sqlx::query_scalar(RING_REVISION).fetch_one(self.reader()).await?)
    }

    async fn create_key(&self, version: &KeyVersionRow, event: &NewEvent) -> Result<NewVersion> {
        let mut tx = self.begin_alone().await?;
        if newest_root(&mut tx).await? != version.root_key_id {
            return Ok(NewVersion::OtherRoot);
        }
        if key_exists(&mut tx, &version.key_id).await? {
            return Ok(NewVersion::KeyExists);
        }
        insert_key(&mut tx, version).await?;
        change_ring(&mut tx, event).await?;
        tx.commit().await?;
        Ok(NewVersion::Done)
    }

    async fn rotate_key(&self, version: &KeyVersionRow, event: &NewEvent) -> Result<NewVersion> {
        let mut tx = self.begin_alone().await?;
        if newest_root(&mut tx).await? != version.root_key_id {
            return Ok(NewVersion::OtherRoot);
        }
        if !key_exists(&mut tx, &version.key_id).await? {
            return Ok(NewVersion::KeyMissing);
        }
        sqlx::query(DEMOTE_PRIMARY).bind(&version.key_id).execute(&mut *tx).await?;
        let done = sqlx::query(INSERT_NEXT_VERSION)
            .bind(&version.kid)
            .bind(&version.key_id)
            .bind(version.state.as_str())
            .bind(&version.root_key_id)
            .bind(&version.wrapped)
            .bind(version.create_time)
            .execute(&mut *tx)
            .await?;
        expect_rows("key_versions", done.rows_affected(), 1)?;
        change_ring(&mut tx, event).await?;
        tx.commit().await?;
        Ok(NewVersion::Done)
    }

    async fn set_key_state(&self, change: &StateChange, event: &NewEvent) -> Result<bool> {
        let mut tx = self.begin_alone().await?;
        if change.minds_pins() {
            let pins: i64 =
                sqlx::query_scalar(COUNT_PINS).bind(&change.kid).bind(change.now).fetch_one(&mut *tx).await?;
            if pins > 0 {
                return Ok(false);
            }
        }
        if let Some(id) = &change.request_id {
            let consumed = sqlx::query(CONSUME).bind(id).bind(change.now).execute(&mut *tx).await?;
            if consumed.rows_affected() == 0 {
                return Ok(false);
            }
        }
        let done = sqlx::query(SET_STATE)
            .bind(&change.kid)
            .bind(change.from.as_str())
            .bind(change.to.as_str())
            .bind(change.destroy_time)
            .bind(change.request_id.is_some())
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        change_ring(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn destroy_key_version(&self, kid: &str, now: i64, event: &NewEvent) -> Result<bool> {
        let mut tx = self.begin_alone().await?;
        let done = sqlx::query(DESTROY).bind(kid).bind(now).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        change_ring(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn change_root_key(
        &self,
        from: &str,
        root: &RootKeyRow,
        rewrapped: &[KeyVersionRow],
        event: &NewEvent,
    ) -> Result<bool> {
        let mut tx = self.begin_alone().await?;
        if newest_root(&mut tx).await? != from {
            return Ok(false);
        }
        for version in rewrapped {
            sqlx::query(REWRAP)
                .bind(&version.kid)
                .bind(&version.root_key_id)
                .bind(&version.wrapped)
                .execute(&mut *tx)
                .await?;
        }
        // A version that was made since the ring was read.
        let missed: i64 = sqlx::query_scalar(COUNT_OTHER_ROOT).bind(&root.id).fetch_one(&mut *tx).await?;
        if missed > 0 {
            return Ok(false);
        }
        sqlx::query(PUT_ROOT_KEY)
            .bind(&root.id)
            .bind(&root.check_value)
            .bind(root.create_time)
            .execute(&mut *tx)
            .await?;
        change_ring(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }
}

async fn newest_root(tx: &mut Connection) -> Result<String> {
    Ok(sqlx::query_scalar(NEWEST_ROOT).fetch_one(tx).await?)
}

async fn key_exists(tx: &mut Connection, key_id: &str) -> Result<bool> {
    let count: i64 = sqlx::query_scalar(COUNT_KEY).bind(key_id).fetch_one(tx).await?;
    Ok(count > 0)
}

async fn insert_key(tx: &mut Connection, version: &KeyVersionRow) -> Result<()> {
    sqlx::query(INSERT_KEY)
        .bind(&version.key_id)
        .bind(version.purpose.as_str())
        .bind(version.create_time)
        .execute(&mut *tx)
        .await?;
    sqlx::query(INSERT_KEY_VERSION)
        .bind(&version.kid)
        .bind(&version.key_id)
        .bind(version.number)
        .bind(version.state.as_str())
        .bind(&version.root_key_id)
        .bind(&version.wrapped)
        .bind(version.create_time)
        .execute(tx)
        .await?;
    Ok(())
}

/// The end of every change of the ring: its revision, then its event.
async fn change_ring(tx: &mut Change, event: &NewEvent) -> Result<()> {
    let done = sqlx::query(BUMP_RING).execute(&mut **tx).await?;
    expect_rows("ring_revision", done.rows_affected(), 1)?;
    append(tx, event).await?;
    Ok(())
}
