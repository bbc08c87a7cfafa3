//! The rows of a restore in SQLite: staged rows are compared with live ones, table by table and page by page.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sqlx::QueryBuilder;
use strongroom_store::{Error, Result};

use super::lists::push_in_list;
use super::restore_write::{
    Credentials, delete, live_credentials, live_previous, name, naming, put_previous, put_references,
    put_undo,
};
use super::{Connection, Database, Store};
use crate::store::granting::{Seal, Sealed};
use crate::store::restore::record::{Report, RowEvents, RowName, Touch};
use crate::store::restore::rows::{
    ArchivedRow, Before, CREDENTIALS, PREVIOUS, REFERENCES, StagedRow, TOMBSTONES, TombstoneRow,
    reference_key,
};
use crate::store::restore::rules::{self, Facts};
use crate::store::restore::undo::{Page as UndoPage, content};
use crate::store::restore::{
    Commit, DELETE_CREDENTIALS, DELETE_PREVIOUS, DELETE_TOMBSTONES, OTHER_CREDENTIALS, RestoreMode, STAGED,
    TOMBSTONES_BY_ID,
};
use crate::store::{CredentialRow, NewEvent, ReferenceRow, VersionRow};

/// Rows compared in one page.
pub(super) const PAGE: i64 = 500;

/// An open commit.
pub(super) struct Walk<'w> {
    pub(super) store: &'w Store,
    pub(super) commit: &'w Commit<'w>,
    pub(super) report: Report,
    pub(super) events: RowEvents,
    /// The previous state of a page's rows.
    pub(super) undone: UndoPage,
    /// Ids named for revival that were not found in the archive, or not yet.
    to_revive: BTreeSet<String>,
}

type Walked = std::result::Result<(Report, Vec<NewEvent>), String>;

/// The changes of a page of credentials.
#[derive(Default)]
struct Page {
    credentials: Credentials,
    /// Tombstones of restored credentials.
    graves: Vec<String>,
    /// Credentials that get the archive's secret.
    renewed: Vec<String>,
}

impl<'w> Walk<'w> {
    pub(super) fn of(store: &'w Store, commit: &'w Commit<'w>, event: &NewEvent) -> Result<Self> {
        let events = RowEvents::of(event, event.change_id()?);
        let (report, to_revive) = (Report::default(), commit.revived.clone());
        Ok(Self { store, commit, report, events, undone: UndoPage::default(), to_revive })
    }

    /// Restores everything, referenced rows first. The inner error is an id to revive that is not in the archive.
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
    pub(super) async fn page(
        &mut self,
        tx: &mut Connection,
        table: &str,
        after: &mut String,
    ) -> Result<Vec<ArchivedRow>> {
        let page: Vec<(String, String)> = sqlx::query_as(STAGED)
            .bind(self.commit.attempt.id.as_str())
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
            let rows = self.page(tx, CREDENTIALS, &mut after).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let ids: Vec<String> = rows.iter().filter_map(ArchivedRow::credential_id).collect();
            let mut live = live_credentials(tx, &ids).await?;
            let mut buried = buried(tx, &ids).await?;
            let mut page = Page::default();
            for row in rows {
                let ArchivedRow::Credential(row) = row else { continue };
                let (found, grave) = (live.remove(&row.id), buried.remove(&row.id));
                self.credential(tx, row, (found, grave), &mut page).await?;
            }
            page.credentials.write(tx).await?;
            delete(tx, DELETE_TOMBSTONES, &page.graves).await?;
            self.previous(tx, &page.renewed).await?;
            self.write_undo(tx).await?;
        }
    }

    async fn credential(
        &mut self,
        tx: &mut Connection,
        archived: CredentialRow,
        (live, grave): (Option<Sealed<CredentialRow>>, Option<TombstoneRow>),
        page: &mut Page,
    ) -> Result<()> {
        let is_revived = self.to_revive.remove(&archived.id) || self.commit.revived.contains(&archived.id);
        let live = match live.map(|sealed| self.store.codes.open_with_seal(sealed)).transpose() {
            // The live row is tampered, and naming it for revival asks for the archive's row instead.
            Err(Error::Tampered { .. }) if is_revived => {
                delete(tx, DELETE_CREDENTIALS, std::slice::from_ref(&archived.id)).await?;
                None
            }
            live => live?,
        };
        let facts = Facts { mode: self.commit.mode, is_buried: grave.is_some(), is_revived };
        self.decide(archived, (live, grave), facts, page)
    }

    fn decide(
        &mut self,
        archived: CredentialRow,
        (live, grave): (Option<(CredentialRow, Seal)>, Option<TombstoneRow>),
        facts: Facts,
        page: &mut Page,
    ) -> Result<()> {
        let name = name_of(&archived);
        let before = live.as_ref().map(|(row, _)| row);
        // The time of the commit becomes the row's revision. It is larger than every earlier revision, so no client has
        // seen the etag made from it.
        let decision = rules::credential(archived, before, facts, self.commit.now);
        self.report.kept(CREDENTIALS, &name, &decision.kept);
        let Some(row) = decision.row else { return Ok(()) };
        if before.is_none_or(|before| before.secret_time != row.secret_time) {
            page.renewed.push(row.id.clone());
        }
        if let Some(grave) = grave {
            self.undo((TOMBSTONES, &row.id), Some(&grave), None)?;
            page.graves.push(grave.id);
        }
        let change_id = self.events.change_id(CREDENTIALS);
        let seal = self.store.codes.seal_as(&row, change_id.clone())?;
        let touch = if before.is_some() { Touch::Changed } else { Touch::Created };
        self.touch(CREDENTIALS, touch, name, &row.id);
        let id = row.id.clone();
        page.credentials.add(row, seal, before);
        self.undo((CREDENTIALS, &id), before_of(live).as_ref(), Some(change_id))
    }

    /// Along with the archive's secret, the archive's previous secret is restored.
    async fn previous(&mut self, tx: &mut Connection, ids: &[String]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut archived = self.staged_previous(tx, ids).await?;
        let mut live = live_previous(tx, ids).await?;
        delete(tx, DELETE_PREVIOUS, ids).await?;
        let mut rows = Vec::new();
        for id in ids {
            let (archived, live) = (archived.remove(id), live.remove(id));
            let touch = match (&archived, &live) {
                (None, None) => continue,
                (None, Some(_)) => Touch::Deleted,
                (Some(_), None) => Touch::Created,
                (Some(_), Some(_)) => Touch::Changed,
            };
            self.report.touched(PREVIOUS, touch, RowName::of(id));
            let mut change_id = None;
            if let Some(row) = archived {
                let change = change_id.insert(self.events.change_id(CREDENTIALS));
                let seal = self.store.codes.seal_as(&row, change.clone())?;
                rows.push((row, seal));
            }
            self.undo_previous(id, live, change_id)?;
        }
        put_previous(tx, &rows).await
    }

    async fn staged_previous(
        &self,
        tx: &mut Connection,
        ids: &[String],
    ) -> Result<BTreeMap<String, VersionRow>> {
        let mut found = BTreeMap::new();
        for (key, text) in staged(tx, (self.commit.attempt.id.as_str(), PREVIOUS), ids).await? {
            if let ArchivedRow::Previous(row) = self.authentic(PREVIOUS, &key, &text)? {
                found.insert(key, row);
            }
        }
        Ok(found)
    }

    /// A row that was changed outside the vault is not put back by a rollback.
    fn undo_previous(
        &mut self,
        id: &str,
        live: Option<Sealed<VersionRow>>,
        change_id: Option<String>,
    ) -> Result<()> {
        let live = live.and_then(|sealed| self.store.codes.open_with_seal(sealed).ok());
        self.undo((PREVIOUS, id), before_of(live).as_ref(), change_id)
    }

    /// Credentials that the archive does not have.
    async fn other_credentials(&mut self, tx: &mut Connection) -> Result<()> {
        let mut after = String::new();
        loop {
            let ids: Vec<String> = sqlx::query_scalar(OTHER_CREDENTIALS)
                .bind(self.commit.attempt.id.as_str())
                .bind(&after)
                .bind(PAGE)
                .fetch_all(&mut *tx)
                .await?;
            let Some(last) = ids.last() else { return Ok(()) };
            after.clone_from(last);
            self.remove(tx, &ids).await?;
            self.write_undo(tx).await?;
        }
    }

    async fn remove(&mut self, tx: &mut Connection, ids: &[String]) -> Result<()> {
        let mut references = Vec::new();
        for sealed in naming(tx, ids).await? {
            let (before, seal) = self.store.codes.open_with_seal(sealed)?;
            let row = ids.iter().fold(before.clone(), |row, id| row.without(id));
            references.push(self.reference(row, Some((before, seal)))?);
        }
        put_references(tx, &references).await?;
        for (id, sealed) in live_previous(tx, ids).await? {
            self.report.touched(PREVIOUS, Touch::Deleted, RowName::of(&id));
            self.undo_previous(&id, Some(sealed), None)?;
        }
        for (id, sealed) in live_credentials(tx, ids).await? {
            let (row, seal) = self.store.codes.open_with_seal(sealed)?;
            self.events.change_id(CREDENTIALS);
            self.touch(CREDENTIALS, Touch::Deleted, name_of(&row), &id);
            self.undo((CREDENTIALS, &id), Some(&Before { row, seal }), None)?;
        }
        delete(tx, DELETE_PREVIOUS, ids).await?;
        delete(tx, DELETE_CREDENTIALS, ids).await
    }

    /// The row and seal to write for a reference.
    pub(super) fn reference(
        &mut self,
        row: ReferenceRow,
        live: Option<(ReferenceRow, Seal)>,
    ) -> Result<(ReferenceRow, Seal)> {
        let change_id = self.events.change_id(REFERENCES);
        let seal = self.store.codes.seal_as(&row, change_id.clone())?;
        let touch = if live.is_some() { Touch::Changed } else { Touch::Created };
        self.touch(REFERENCES, touch, RowName::of(&row.target()), &row.target());
        let (kind, consumer) = name(&row);
        self.undo((REFERENCES, &reference_key(&kind, &consumer)), before_of(live).as_ref(), Some(change_id))?;
        Ok((row, seal))
    }

    /// Names the row in the report and in the log.
    pub(super) fn touch(&mut self, table: &str, touch: Touch, name: RowName, logged: &str) {
        self.events.add(touch, logged);
        self.report.touched(table, touch, name);
    }

    /// Remembers the previous state of a row until the end of the page.
    pub(super) fn undo<R: Serialize>(
        &mut self,
        (table, key): (&'static str, &str),
        before: Option<&R>,
        change_id: Option<String>,
    ) -> Result<()> {
        if !self.commit.is_trial {
            let before = before.map(content).transpose()?;
            self.undone.add((self.commit.attempt.id.as_str(), table, key), before, change_id);
        }
        Ok(())
    }

    /// Called at the end of each page.
    pub(super) async fn write_undo(&mut self, tx: &mut Connection) -> Result<()> {
        for (table, mut rows) in self.undone.take() {
            let keys: Vec<String> = rows.iter().map(|row| row.row_key.clone()).collect();
            let mut query =
                QueryBuilder::<Database>::new("SELECT row_key, content FROM restore_undo WHERE stage_id = ");
            query
                .push_bind(self.commit.attempt.id.as_str())
                .push(" AND table_name = ")
                .push_bind(table)
                .push(" AND row_key");
            push_in_list(&mut query, &keys);
            let earlier: Vec<(String, Option<String>)> = query.build_query_as().fetch_all(&mut *tx).await?;
            let earlier: BTreeMap<String, Option<String>> = earlier.into_iter().collect();
            let mut sealed = Vec::with_capacity(rows.len());
            for mut row in rows.drain(..) {
                // If one restore touches a row twice, the state before the first time is kept.
                if let Some(content) = earlier.get(&row.row_key) {
                    row.content.clone_from(content);
                }
                let seal = self.store.codes.seal_as(&row, String::new())?;
                sealed.push((row, seal));
            }
            put_undo(tx, &sealed).await?;
        }
        Ok(())
    }
}

/// Staged rows of a table by their keys.
pub(super) async fn staged(
    tx: &mut Connection,
    (stage_id, table): (&str, &str),
    keys: &[String],
) -> Result<Vec<(String, String)>> {
    let mut query =
        QueryBuilder::<Database>::new("SELECT row_key, content FROM restore_rows WHERE stage_id = ");
    query.push_bind(stage_id).push(" AND table_name = ").push_bind(table).push(" AND row_key");
    push_in_list(&mut query, keys);
    Ok(query.build_query_as().fetch_all(tx).await?)
}

pub(super) async fn buried(tx: &mut Connection, ids: &[String]) -> Result<BTreeMap<String, TombstoneRow>> {
    let mut query = QueryBuilder::<Database>::new(TOMBSTONES_BY_ID);
    push_in_list(&mut query, ids);
    let rows: Vec<TombstoneRow> = query.build_query_as().fetch_all(tx).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

fn before_of<R>(live: Option<(R, Seal)>) -> Option<Before<R>> {
    live.map(|(row, seal)| Before { row, seal })
}

fn name_of(row: &CredentialRow) -> RowName {
    RowName { id: row.id.clone(), name: row.display_name.clone() }
}
