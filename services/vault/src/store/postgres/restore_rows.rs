//! The rows of a restore in PostgreSQL: what was staged, against what is live, table by table.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, QueryBuilder};
use strongroom_store::{Error, Result};

use super::credential::{insert, insert_labels, update};
use super::lists::{push_in_list, push_pairs};
use super::locks::FOR_CHANGE;
use super::{Connection, Database, Store, reference, token, version};
use crate::store::credential::{DELETE, DELETE_LABELS};
use crate::store::granting::{Granting, Seal, Sealed};
use crate::store::reference::{RELEASE, naming};
use crate::store::restore::record::{Report, RowEvents, RowName, Touch};
use crate::store::restore::rows::{
    ArchivedRow, Before, CREDENTIALS, PREVIOUS, REFERENCES, StagedRow, TOKENS, TOMBSTONES, TombstoneRow,
    reference_key,
};
use crate::store::restore::rules::{self, Facts};
use crate::store::restore::undo::{UndoRow, content};
use crate::store::restore::{
    Commit, DELETE_TOMBSTONE, INSERT_UNDO, OTHER_CREDENTIALS, PREVIOUS_OF, PUT_TOMBSTONE, RestoreMode,
    STAGED, STAGED_ONE, TOKEN_BY_HASH, TOMBSTONES_BY_ID,
};
use crate::store::version::DELETE as DELETE_PREVIOUS;
use crate::store::{CredentialRow, NewEvent, ReferenceRow, TokenRow, VersionRow, credential as credentials};

/// Rows that are compared at once.
const PAGE: i64 = 500;

/// A commit under way.
pub(super) struct Walk<'w> {
    store: &'w Store,
    commit: &'w Commit<'w>,
    /// An etag that no client has seen, and that grows.
    revision: i64,
    report: Report,
    events: RowEvents,
    /// Ids that somebody named and that the archive does not have, or not yet.
    to_revive: BTreeSet<String>,
}

type Walked = std::result::Result<(Report, Vec<NewEvent>), String>;

impl<'w> Walk<'w> {
    pub(super) fn of(store: &'w Store, commit: &'w Commit<'w>, event: &NewEvent) -> Result<Self> {
        let events = RowEvents::of(event, event.change_id()?);
        let (report, to_revive) = (Report::default(), commit.revived.clone());
        Ok(Self { store, commit, revision: commit.now, report, events, to_revive })
    }

    /// Everything, referenced rows first; or an id to revive that is none of the archive's.
    pub(super) async fn walk(mut self, tx: &mut Connection) -> Result<Walked> {
        for table in self.commit.tables {
            self.report.table(table);
        }
        self.credentials(tx).await?;
        if let Some(unknown) = self.to_revive.pop_first() {
            return Ok(Err(unknown));
        }
        if self.commit.mode == RestoreMode::Replace && self.has(CREDENTIALS) {
            self.other_credentials(tx).await?;
        }
        self.tombstones(tx).await?;
        self.references(tx).await?;
        if self.commit.mode == RestoreMode::Replace && self.has(REFERENCES) {
            self.other_references(tx).await?;
        }
        self.tokens(tx).await?;
        Ok(Ok((self.report, self.events.finish())))
    }

    fn has(&self, table: &str) -> bool {
        self.commit.tables.iter().any(|staged| staged == table)
    }

    /// The staged rows of a table after a key, each checked again.
    async fn page(
        &mut self,
        tx: &mut Connection,
        table: &str,
        after: &mut String,
    ) -> Result<Vec<ArchivedRow>> {
        let page: Vec<(String, String)> = sqlx::query_as(STAGED)
            .bind(self.commit.id)
            .bind(table)
            .bind(after.as_str())
            .bind(PAGE)
            .fetch_all(tx)
            .await?;
        if let Some((last, _)) = page.last() {
            after.clone_from(last);
            self.report.table(table).rows += i64::try_from(page.len()).unwrap_or(i64::MAX);
        }
        page.iter().map(|(key, text)| self.authentic(table, key, text)).collect()
    }

    fn authentic(&self, table: &str, key: &str, text: &str) -> Result<ArchivedRow> {
        let staged: Option<StagedRow> = serde_json::from_str(text).ok();
        let staged = staged.filter(|staged| staged.table() == table && staged.key() == key);
        let staged = staged.filter(|staged| staged.is_authentic(self.commit.keys));
        let tampered = || Error::Tampered { table: "restore_rows", row: format!("{table} {key}") };
        Ok(staged.ok_or_else(tampered)?.row)
    }

    async fn credentials(&mut self, tx: &mut Connection) -> Result<()> {
        let mut after = String::new();
        loop {
            let page = self.page(tx, CREDENTIALS, &mut after).await?;
            if page.is_empty() {
                return Ok(());
            }
            let ids: Vec<String> = page.iter().filter_map(ArchivedRow::credential_id).collect();
            let mut live = live_credentials(tx, &ids).await?;
            let buried = buried(tx, &ids).await?;
            for row in page {
                let ArchivedRow::Credential(row) = row else { continue };
                let found = live.remove(&row.id);
                let grave = buried.get(&row.id);
                Box::pin(self.credential(tx, row, found, grave)).await?;
            }
        }
    }

    async fn credential(
        &mut self,
        tx: &mut Connection,
        archived: CredentialRow,
        live: Option<Sealed<CredentialRow>>,
        grave: Option<&TombstoneRow>,
    ) -> Result<()> {
        let is_revived = self.to_revive.remove(&archived.id) || self.commit.revived.contains(&archived.id);
        let live = match live.map(|sealed| self.store.codes.open_with_seal(sealed)).transpose() {
            // Whoever names it wants the archive's row in the place of one that says nothing.
            Err(Error::Tampered { .. }) if is_revived => {
                sqlx::query(DELETE).bind(&archived.id).execute(&mut *tx).await?;
                None
            }
            live => live?,
        };
        let name = name_of(&archived);
        let facts = Facts { mode: self.commit.mode, is_buried: grave.is_some(), is_revived };
        let decision = rules::credential(archived, live.as_ref().map(|(row, _)| row), facts, self.revision);
        self.report.kept(CREDENTIALS, &name, &decision.kept);
        let Some(row) = decision.row else { return Ok(()) };
        let is_secret_new = live.as_ref().is_none_or(|(live, _)| live.secret_time != row.secret_time);
        let change_id = self.events.change_id(CREDENTIALS);
        let seal = self.store.codes.seal_as(&row, change_id.clone())?;
        let touch = if live.is_some() { Touch::Changed } else { Touch::Created };
        match &live {
            Some((before, _)) => {
                update(tx, &row, seal).await?;
                if before.labels != row.labels {
                    sqlx::query(DELETE_LABELS).bind(&row.id).execute(&mut *tx).await?;
                    insert_labels(tx, &row.id, &row.labels()).await?;
                }
            }
            None => {
                insert(tx, &row, seal).await?;
                insert_labels(tx, &row.id, &row.labels()).await?;
            }
        }
        if let Some(grave) = grave {
            sqlx::query(DELETE_TOMBSTONE).bind(&row.id).execute(&mut *tx).await?;
            self.undo(tx, (TOMBSTONES, &row.id), Some(content(grave)?), None).await?;
        }
        self.touch(CREDENTIALS, touch, name, &row.id);
        let before = live.map(|(row, seal)| content(&Before { row, seal })).transpose()?;
        self.undo(tx, (CREDENTIALS, &row.id), before, Some(change_id)).await?;
        if is_secret_new { self.previous(tx, &row.id).await } else { Ok(()) }
    }

    /// With the archive's secret comes the one before it.
    async fn previous(&mut self, tx: &mut Connection, id: &str) -> Result<()> {
        let text: Option<String> = sqlx::query_scalar(STAGED_ONE)
            .bind(self.commit.id)
            .bind(PREVIOUS)
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
        let archived = match text.map(|text| self.authentic(PREVIOUS, id, &text)).transpose()? {
            Some(ArchivedRow::Previous(row)) => Some(row),
            _ => None,
        };
        let live: Option<Sealed<VersionRow>> =
            sqlx::query_as(PREVIOUS_OF).bind(id).fetch_optional(&mut *tx).await?;
        if archived.is_none() && live.is_none() {
            return Ok(());
        }
        let touch = if live.is_some() { Touch::Changed } else { Touch::Created };
        sqlx::query(DELETE_PREVIOUS).bind(id).execute(&mut *tx).await?;
        let mut change_id = None;
        if let Some(row) = &archived {
            let change = self.events.change_id(CREDENTIALS);
            version::insert(tx, row, self.store.codes.seal_as(row, change.clone())?).await?;
            change_id = Some(change);
        }
        let touch = if archived.is_none() { Touch::Deleted } else { touch };
        self.report.touched(PREVIOUS, touch, RowName::of(id));
        // One that was changed outside is not put back.
        let live = live.and_then(|sealed| self.store.codes.open_with_seal(sealed).ok());
        let before = live.map(|(row, seal)| content(&Before { row, seal })).transpose()?;
        self.undo(tx, (PREVIOUS, id), before, change_id).await
    }

    /// Credentials that the archive does not have.
    async fn other_credentials(&mut self, tx: &mut Connection) -> Result<()> {
        let mut after = String::new();
        loop {
            let ids: Vec<String> = sqlx::query_scalar(OTHER_CREDENTIALS)
                .bind(self.commit.id)
                .bind(&after)
                .bind(PAGE)
                .fetch_all(&mut *tx)
                .await?;
            let Some(last) = ids.last() else { return Ok(()) };
            after.clone_from(last);
            for (id, sealed) in live_credentials(tx, &ids).await? {
                let (row, seal) = self.store.codes.open_with_seal(sealed)?;
                Box::pin(self.remove_credential(tx, &id, row, seal)).await?;
            }
        }
    }

    async fn remove_credential(
        &mut self,
        tx: &mut Connection,
        id: &str,
        row: CredentialRow,
        seal: Seal,
    ) -> Result<()> {
        let mut query = naming::<Database>(id);
        query.push(FOR_CHANGE);
        let naming_it: Vec<Sealed<ReferenceRow>> = query.build_query_as().fetch_all(&mut *tx).await?;
        for sealed in naming_it {
            let (before, seal) = self.store.codes.open_with_seal(sealed)?;
            let row = before.clone().without(id);
            self.write_reference(tx, row, Some((before, seal))).await?;
        }
        let live: Option<Sealed<VersionRow>> =
            sqlx::query_as(PREVIOUS_OF).bind(id).fetch_optional(&mut *tx).await?;
        if let Some((row, seal)) = live.and_then(|sealed| self.store.codes.open_with_seal(sealed).ok()) {
            sqlx::query(DELETE_PREVIOUS).bind(id).execute(&mut *tx).await?;
            self.report.touched(PREVIOUS, Touch::Deleted, RowName::of(id));
            self.undo(tx, (PREVIOUS, id), Some(content(&Before { row, seal })?), None).await?;
        }
        sqlx::query(DELETE).bind(id).execute(&mut *tx).await?;
        self.events.change_id(CREDENTIALS);
        self.touch(CREDENTIALS, Touch::Deleted, name_of(&row), id);
        self.undo(tx, (CREDENTIALS, id), Some(content(&Before { row, seal })?), None).await
    }

    /// What the archive knows to be deleted stays deleted here too.
    async fn tombstones(&mut self, tx: &mut Connection) -> Result<()> {
        let mut after = String::new();
        loop {
            let page = self.page(tx, TOMBSTONES, &mut after).await?;
            if page.is_empty() {
                return Ok(());
            }
            let ids: Vec<String> = page.iter().filter_map(ArchivedRow::credential_id).collect();
            let live = existing(tx, &ids).await?;
            for row in page {
                let ArchivedRow::Tombstone(row) = row else { continue };
                if live.contains(&row.id) {
                    let name = RowName { id: row.id, name: row.display_name };
                    self.report.kept(TOMBSTONES, &name, &[rules::EXISTS]);
                    continue;
                }
                let put = sqlx::query(PUT_TOMBSTONE)
                    .bind(&row.id)
                    .bind(&row.display_name)
                    .bind(&row.provider)
                    .bind(row.delete_time)
                    .execute(&mut *tx)
                    .await?;
                if put.rows_affected() == 1 {
                    self.report.touched(TOMBSTONES, Touch::Created, RowName::of(&row.id));
                    self.undo(tx, (TOMBSTONES, &row.id), None, Some(String::new())).await?;
                }
            }
        }
    }

    async fn references(&mut self, tx: &mut Connection) -> Result<()> {
        let mut after = String::new();
        loop {
            let page = self.page(tx, REFERENCES, &mut after).await?;
            if page.is_empty() {
                return Ok(());
            }
            let rows: Vec<ReferenceRow> = page.into_iter().filter_map(ArchivedRow::reference).collect();
            let named: Vec<String> =
                rows.iter().flat_map(ReferenceRow::credential_ids).map(str::to_owned).collect();
            let existing = existing(tx, &named).await?;
            let mut live = live_references(tx, &rows).await?;
            for row in rows {
                let found = live.remove(&reference_key(&row.kind, &row.consumer));
                let found = found.map(|sealed| self.store.codes.open_with_seal(sealed)).transpose()?;
                let gone = row.credential_ids().into_iter().filter(|id| !existing.contains(*id));
                let gone: Vec<String> = gone.map(str::to_owned).collect();
                let name = RowName::of(&row.target());
                let live = found.as_ref().map(|(row, _)| row);
                let decision = rules::reference(row, live, &gone, self.commit.mode);
                self.report.kept(REFERENCES, &name, &decision.kept);
                if let Some(row) = decision.row {
                    Box::pin(self.write_reference(tx, row, found)).await?;
                }
            }
        }
    }

    async fn write_reference(
        &mut self,
        tx: &mut Connection,
        row: ReferenceRow,
        live: Option<(ReferenceRow, Seal)>,
    ) -> Result<()> {
        let change_id = self.events.change_id(REFERENCES);
        let seal = self.store.codes.seal_as(&row, change_id.clone())?;
        reference::write(tx, &row, seal).await?;
        let touch = if live.is_some() { Touch::Changed } else { Touch::Created };
        self.touch(REFERENCES, touch, RowName::of(&row.target()), &row.target());
        let before = live.map(|(row, seal)| content(&Before { row, seal })).transpose()?;
        let key = reference_key(&row.kind, &row.consumer);
        self.undo(tx, (REFERENCES, &key), before, Some(change_id)).await
    }

    /// References that the archive does not have.
    async fn other_references(&mut self, tx: &mut Connection) -> Result<()> {
        let mut after = (String::new(), String::new());
        loop {
            let mut query = QueryBuilder::<Database>::new(ReferenceRow::SELECT);
            query.push(" WHERE (r.kind, r.consumer) > (").push_bind(after.0.clone()).push(", ");
            query.push_bind(after.1.clone()).push(") ORDER BY r.kind, r.consumer LIMIT ").push_bind(PAGE);
            let page: Vec<Sealed<ReferenceRow>> = query.build_query_as().fetch_all(&mut *tx).await?;
            if page.is_empty() {
                return Ok(());
            }
            for sealed in page {
                let (row, seal) = self.store.codes.open_with_seal(sealed)?;
                after = (row.kind.clone(), row.consumer.clone());
                let key = reference_key(&row.kind, &row.consumer);
                let staged: Option<String> = sqlx::query_scalar(STAGED_ONE)
                    .bind(self.commit.id)
                    .bind(REFERENCES)
                    .bind(&key)
                    .fetch_optional(&mut *tx)
                    .await?;
                if staged.is_some() {
                    continue;
                }
                sqlx::query(RELEASE).bind(&row.kind).bind(&row.consumer).execute(&mut *tx).await?;
                self.events.change_id(REFERENCES);
                self.touch(REFERENCES, Touch::Deleted, RowName::of(&row.target()), &row.target());
                self.undo(tx, (REFERENCES, &key), Some(content(&Before { row, seal })?), None).await?;
            }
        }
    }

    async fn tokens(&mut self, tx: &mut Connection) -> Result<()> {
        let mut after = String::new();
        loop {
            let page = self.page(tx, TOKENS, &mut after).await?;
            if page.is_empty() {
                return Ok(());
            }
            for row in page {
                let ArchivedRow::Token(row) = row else { continue };
                Box::pin(self.token(tx, row)).await?;
            }
        }
    }

    async fn token(&mut self, tx: &mut Connection, archived: TokenRow) -> Result<()> {
        let select = AssertSqlSafe(format!("{} WHERE id = $1", TokenRow::SELECT));
        let live: Option<Sealed<TokenRow>> =
            sqlx::query_as(select).bind(&archived.id).fetch_optional(&mut *tx).await?;
        let live = self.store.codes.open_found(live)?;
        let known: i64 = sqlx::query_scalar(TOKEN_BY_HASH).bind(&archived.hash).fetch_one(&mut *tx).await?;
        let name = RowName { id: archived.id.clone(), name: archived.name.clone() };
        let decision = rules::token(archived, live.as_ref(), known > 0, self.commit.now);
        self.report.kept(TOKENS, &name, &decision.kept);
        let Some(row) = decision.row else { return Ok(()) };
        let change_id = self.events.change_id(TOKENS);
        let seal = self.store.codes.seal_as(&row, change_id.clone())?;
        token::insert(tx, &row, &seal).await?;
        // What only a change of a token sets.
        token::update(tx, &row, seal).await?;
        self.touch(TOKENS, Touch::Created, name, &row.id);
        self.report.stale(TOKENS, &row.id);
        self.undo(tx, (TOKENS, &row.id), None, Some(change_id)).await
    }

    /// Named in the report and in the log.
    fn touch(&mut self, table: &str, touch: Touch, name: RowName, logged: &str) {
        self.events.add(touch, logged);
        self.report.touched(table, touch, name);
    }

    async fn undo(
        &self,
        tx: &mut Connection,
        (table, key): (&str, &str),
        content: Option<String>,
        change_id: Option<String>,
    ) -> Result<()> {
        if self.commit.is_trial {
            return Ok(());
        }
        put_undo(self.store, tx, (self.commit.id, table, key), content, change_id).await
    }
}

async fn put_undo(
    store: &Store,
    tx: &mut Connection,
    (stage_id, table, key): (&str, &str, &str),
    content: Option<String>,
    change_id: Option<String>,
) -> Result<()> {
    let before: Option<UndoRow> =
        sqlx::query_as(UndoRow::SELECT).bind(stage_id).bind(table).bind(key).fetch_optional(&mut *tx).await?;
    let row = UndoRow {
        stage_id: stage_id.to_owned(),
        table_name: table.to_owned(),
        row_key: key.to_owned(),
        content: before.map_or(content, |before| before.content),
        change_id,
    };
    let seal = store.codes.seal_as(&row, String::new())?;
    sqlx::query(INSERT_UNDO)
        .bind(&row.stage_id)
        .bind(&row.table_name)
        .bind(&row.row_key)
        .bind(&row.content)
        .bind(&row.change_id)
        .bind(seal.row_kid)
        .bind(seal.row_mac)
        .execute(tx)
        .await?;
    Ok(())
}

/// Credentials by id, not checked yet.
pub(super) async fn live_credentials(
    tx: &mut Connection,
    ids: &[String],
) -> Result<BTreeMap<String, Sealed<CredentialRow>>> {
    let mut query = QueryBuilder::<Database>::new(credentials::SELECT);
    query.push(" WHERE c.id");
    push_in_list(&mut query, ids);
    let rows: Vec<Sealed<CredentialRow>> = query.build_query_as().fetch_all(tx).await?;
    let named = |sealed: Sealed<CredentialRow>| Ok((sealed.unchecked()?.0.id.clone(), sealed));
    rows.into_iter().map(named).collect()
}

async fn live_references(
    tx: &mut Connection,
    rows: &[ReferenceRow],
) -> Result<BTreeMap<String, Sealed<ReferenceRow>>> {
    let pairs: Vec<(String, String)> =
        rows.iter().map(|row| (row.kind.clone(), row.consumer.clone())).collect();
    let mut query = QueryBuilder::<Database>::new("WITH asked AS (");
    push_pairs(&mut query, &pairs, ("kind", "consumer"));
    query.push(") ").push(ReferenceRow::SELECT);
    query.push(" JOIN asked a ON a.kind = r.kind AND a.consumer = r.consumer");
    let rows: Vec<Sealed<ReferenceRow>> = query.build_query_as().fetch_all(tx).await?;
    let named = |sealed: Sealed<ReferenceRow>| {
        let row = &sealed.unchecked()?.0;
        Ok((reference_key(&row.kind, &row.consumer), sealed))
    };
    rows.into_iter().map(named).collect()
}

/// Those of `ids` that are credentials now.
pub(super) async fn existing(tx: &mut Connection, ids: &[String]) -> Result<BTreeSet<String>> {
    let mut query = QueryBuilder::<Database>::new("SELECT c.id FROM credentials c WHERE c.id");
    push_in_list(&mut query, ids);
    Ok(query.build_query_scalar().fetch_all(tx).await?.into_iter().collect())
}

async fn buried(tx: &mut Connection, ids: &[String]) -> Result<BTreeMap<String, TombstoneRow>> {
    let mut query = QueryBuilder::<Database>::new(TOMBSTONES_BY_ID);
    push_in_list(&mut query, ids);
    let rows: Vec<TombstoneRow> = query.build_query_as().fetch_all(tx).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

fn name_of(row: &CredentialRow) -> RowName {
    RowName { id: row.id.clone(), name: row.display_name.clone() }
}
