//! The key ring in PostgreSQL.

use async_trait::async_trait;
use strongroom_crypto::State;
use strongroom_store::{Result, expect_rows};

use super::append::append;
use super::change::Change;
use super::key_request::consume;
use super::{Connection, Store};
use crate::store::audit::SET_CHAIN;
use crate::store::key::{
    BUMP_RING, COUNT_KEY, COUNT_OTHER_ROOT, COUNT_ROOT_KEYS, DEPLOYMENT, DeploymentRow, INSERT_KEY,
    INSERT_KEY_VERSION, INSERT_NEXT_VERSION, INSERT_ROOT_KEY, KEY_VERSION, KEY_VERSIONS, NEWEST_ROOT,
    PRIMARY_OF, PUT_ROOT_KEY, RING_REVISION, ROOT_KEYS, SET_DEPLOYMENT, UPDATE_VERSION,
};
use crate::store::key_state::Stated;
use crate::store::ledger::{COUNT_OPEN_PINS, COUNT_PINS};
use crate::store::{
    KeyStore, KeyVersionRow, NewEvent, NewVersion, RingMerge, RootKeyRow, RowKeys, StateChange, StateKeys,
};

#[async_trait]
impl KeyStore for Store {
    async fn root_keys(&self) -> Result<Vec<RootKeyRow>> {
        Ok(sqlx::query_as(ROOT_KEYS).fetch_all(self.reader()).await?)
    }

    async fn key_versions(&self) -> Result<Vec<KeyVersionRow>> {
        let rows: Vec<Stated> = sqlx::query_as(KEY_VERSIONS).fetch_all(self.reader()).await?;
        rows.into_iter().map(|stated| self.states.open(stated)).collect()
    }

    async fn create_ring(
        &self,
        root: &RootKeyRow,
        deployment_id: &str,
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
            insert_key(&mut tx, version, &self.states.code(version)?).await?;
        }
        let code = self.states.deployment_code(&root.id, deployment_id)?;
        sqlx::query(SET_DEPLOYMENT).bind(deployment_id).bind(code).execute(&mut *tx).await?;
        // The log's chain takes the deployment id as its name, because that is random. The chain keeps this name, even
        // if the vault later adopts another deployment id.
        sqlx::query(SET_CHAIN).bind(deployment_id).execute(&mut *tx).await?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }

    fn set_state_keys(&self, keys: StateKeys) {
        self.states.set(keys);
    }

    fn set_row_keys(&self, keys: RowKeys) {
        self.codes.set(keys);
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
        insert_key(&mut tx, version, &self.states.code(version)?).await?;
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
        if let Some(before) =
            sqlx::query_as(PRIMARY_OF).bind(&version.key_id).fetch_optional(&mut *tx).await?
        {
            let before = self.states.open(before)?;
            let demoted =
                KeyVersionRow { state: State::DecryptOnly, state_time: version.create_time, ..before };
            update(&mut tx, &demoted, &self.states.code(&demoted)?).await?;
        }
        let done = sqlx::query(INSERT_NEXT_VERSION)
            .bind(&version.kid)
            .bind(&version.key_id)
            .bind(version.state.as_str())
            .bind(&version.root_key_id)
            .bind(&version.wrapped)
            .bind(version.create_time)
            .bind(version.state_time)
            .bind(self.states.code(version)?)
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
        if let Some(id) = &change.request_id
            && !consume(&mut tx, &self.codes, id, change.now, event).await?
        {
            return Ok(false);
        }
        let Some(version) = self.version(&mut tx, &change.kid).await?.filter(|row| row.state == change.from)
        else {
            return Ok(false);
        };
        let stepped = KeyVersionRow {
            state: change.to,
            state_time: change.now,
            destroy_time: change.destroy_time,
            destroy_approved: change.request_id.is_some(),
            ..version
        };
        update(&mut tx, &stepped, &self.states.code(&stepped)?).await?;
        change_ring(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn destroy_key_version(&self, kid: &str, now: i64, event: &NewEvent) -> Result<bool> {
        let mut tx = self.begin_alone().await?;
        let is_due = |row: &KeyVersionRow| {
            row.state == State::Scheduled && row.destroy_time.is_some_and(|time| time <= now)
        };
        let Some(version) = self.version(&mut tx, kid).await?.filter(is_due) else { return Ok(false) };
        let pins: i64 = sqlx::query_scalar(COUNT_PINS).bind(kid).bind(now).fetch_one(&mut *tx).await?;
        // The snapshot of an archive that is being made may need a version created after the archive pinned its
        // versions.
        let open: i64 = sqlx::query_scalar(COUNT_OPEN_PINS).bind(now).fetch_one(&mut *tx).await?;
        if open > 0 || pins > 0 && !version.destroy_approved {
            return Ok(false);
        }
        let destroyed =
            KeyVersionRow { state: State::Destroyed, state_time: now, wrapped: String::new(), ..version };
        update(&mut tx, &destroyed, &self.states.code(&destroyed)?).await?;
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
            // The version's state may have changed since the ring was read.
            let Some(current) = self.version(&mut tx, &version.kid).await? else { return Ok(false) };
            let (root_key_id, wrapped) = (version.root_key_id.clone(), version.wrapped.clone());
            let wrapped = if current.state == State::Destroyed { String::new() } else { wrapped };
            let rewrapped = KeyVersionRow { root_key_id, wrapped, ..current };
            update(&mut tx, &rewrapped, &self.states.code(&rewrapped)?).await?;
        }
        // Versions created since the ring was read.
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
        let DeploymentRow { deployment_id, .. } = sqlx::query_as(DEPLOYMENT).fetch_one(&mut *tx).await?;
        let code = self.states.deployment_code(&root.id, &deployment_id)?;
        sqlx::query(SET_DEPLOYMENT).bind(deployment_id).bind(code).execute(&mut *tx).await?;
        change_ring(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn deployment(&self) -> Result<String> {
        let root: String = sqlx::query_scalar(NEWEST_ROOT).fetch_one(self.reader()).await?;
        self.states.open_deployment(&root, sqlx::query_as(DEPLOYMENT).fetch_one(self.reader()).await?)
    }

    async fn merge_ring(&self, merge: &RingMerge, event: &NewEvent) -> Result<bool> {
        let mut tx = self.begin_alone().await?;
        let revision: i64 = sqlx::query_scalar(RING_REVISION).fetch_one(&mut *tx).await?;
        if revision != merge.revision || newest_root(&mut tx).await? != merge.root_key_id {
            return Ok(false);
        }
        for version in &merge.changed {
            let pins: i64 = sqlx::query_scalar(COUNT_PINS)
                .bind(&version.kid)
                .bind(event.time)
                .fetch_one(&mut *tx)
                .await?;
            if pins > 0 {
                return Ok(false);
            }
        }
        for version in &merge.added {
            insert_key(&mut tx, version, &self.states.code(version)?).await?;
        }
        for version in &merge.changed {
            update(&mut tx, version, &self.states.code(version)?).await?;
        }
        change_ring(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }
}

impl Store {
    async fn version(&self, tx: &mut Connection, kid: &str) -> Result<Option<KeyVersionRow>> {
        let found = sqlx::query_as(KEY_VERSION).bind(kid).fetch_optional(tx).await?;
        found.map(|stated| self.states.open(stated)).transpose()
    }
}

async fn update(tx: &mut Connection, version: &KeyVersionRow, state_mac: &[u8]) -> Result<()> {
    let done = sqlx::query(UPDATE_VERSION)
        .bind(&version.kid)
        .bind(version.state.as_str())
        .bind(version.destroy_time)
        .bind(version.destroy_approved)
        .bind(&version.root_key_id)
        .bind(&version.wrapped)
        .bind(state_mac)
        .bind(version.state_time)
        .execute(tx)
        .await?;
    expect_rows("key_versions", done.rows_affected(), 1)
}

pub(super) async fn newest_root(tx: &mut Connection) -> Result<String> {
    Ok(sqlx::query_scalar(NEWEST_ROOT).fetch_one(tx).await?)
}

async fn key_exists(tx: &mut Connection, key_id: &str) -> Result<bool> {
    let count: i64 = sqlx::query_scalar(COUNT_KEY).bind(key_id).fetch_one(tx).await?;
    Ok(count > 0)
}

async fn insert_key(tx: &mut Connection, version: &KeyVersionRow, state_mac: &[u8]) -> Result<()> {
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
        .bind(version.state_time)
        .bind(version.destroy_time)
        .bind(state_mac)
        .bind(version.import_time)
        .execute(tx)
        .await?;
    Ok(())
}

/// The end of every change of the ring: increments its revision and appends the event.
async fn change_ring(tx: &mut Change, event: &NewEvent) -> Result<()> {
    let done = sqlx::query(BUMP_RING).execute(&mut **tx).await?;
    expect_rows("key_ring", done.rows_affected(), 1)?;
    append(tx, event).await?;
    Ok(())
}
