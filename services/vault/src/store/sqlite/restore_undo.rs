//! Taking a restore back in SQLite: each row becomes what it was before, unless that would bring back what was revoked since.

use sqlx::{AssertSqlSafe, QueryBuilder};
use strongroom_store::Result;

use super::credential::{insert, insert_labels, update};
use super::locks::FOR_CHANGE;
use super::restore_rows::{existing, live_credentials};
use super::{Connection, Database, Store, reference, version};
use crate::store::credential::{DELETE, DELETE_LABELS};
use crate::store::granting::{Granting as _, Seal, Sealed};
use crate::store::reference::{RELEASE, naming};
use crate::store::restore::record::{Report, RowEvents, RowName, Touch};
use crate::store::restore::rows::{
    Before, CREDENTIALS, PREVIOUS, REFERENCES, TOKENS, TOMBSTONES, TombstoneRow, reference_names,
};
use crate::store::restore::rules::{self, Facts};
use crate::store::restore::undo::{StoredUndo, UndoRow};
use crate::store::restore::{DELETE_TOKEN, DELETE_TOMBSTONE, PREVIOUS_OF, PUT_TOMBSTONE, RestoreMode, UNDO};
use crate::store::version::DELETE as DELETE_PREVIOUS;
use crate::store::{CredentialRow, NewEvent, ReferenceRow, TokenRow, VersionRow};

/// Rows that are read at once.
const PAGE: i64 = 500;
/// Changed rows that are named.
const MAX_NAMED: usize = 20;

/// What was undone.
pub(super) struct Undone {
    pub(super) report: Report,
    pub(super) events: Vec<NewEvent>,
    /// Rows that were changed since the restore.
    pub(super) changed: Vec<String>,
}

/// A rollback under way.
pub(super) struct Undoing<'u> {
    store: &'u Store,
    id: &'u str,
    now: i64,
    report: Report,
    events: RowEvents,
    changed: Vec<String>,
}

impl<'u> Undoing<'u> {
    pub(super) fn of(store: &'u Store, id: &'u str, now: i64, event: &NewEvent) -> Result<Self> {
        let events = RowEvents::of(event, event.change_id()?);
        Ok(Self { store, id, now, report: Report::default(), events, changed: Vec::new() })
    }

    pub(super) async fn undo(mut self, tx: &mut Connection) -> Result<Undone> {
        for table in [CREDENTIALS, PREVIOUS, TOMBSTONES, REFERENCES, TOKENS] {
            let mut after = String::new();
            loop {
                let page: Vec<StoredUndo> = sqlx::query_as(UNDO)
                    .bind(self.id)
                    .bind(table)
                    .bind(&after)
                    .bind(PAGE)
                    .fetch_all(&mut *tx)
                    .await?;
                let Some(last) = page.last() else { break };
                after.clone_from(&last.row.row_key);
                for StoredUndo { row, code } in page {
                    if !self.store.codes.vouches(&row, &code.seal())? {
                        return Err(row.tampered());
                    }
                    Box::pin(self.row(tx, table, &row)).await?;
                }
            }
        }
        Ok(Undone { report: self.report, events: self.events.finish(), changed: self.changed })
    }

    async fn row(&mut self, tx: &mut Connection, table: &str, undo: &UndoRow) -> Result<()> {
        match table {
            CREDENTIALS => self.credential(tx, undo).await,
            PREVIOUS => self.previous(tx, undo).await,
            TOMBSTONES => self.tombstone(tx, undo).await,
            REFERENCES => self.reference(tx, undo).await,
            _ => self.token(tx, undo).await,
        }
    }

    async fn credential(&mut self, tx: &mut Connection, undo: &UndoRow) -> Result<()> {
        let id = undo.row_key.as_str();
        let live = live_credentials(tx, std::slice::from_ref(&undo.row_key)).await?.remove(id);
        let live = live.map(|sealed| self.store.codes.open_with_seal(sealed)).transpose()?;
        let is_changed = live.as_ref().map(|(_, seal)| &seal.change_id) != undo.change_id.as_ref();
        let before: Option<Before<CredentialRow>> = undo.before()?;
        if is_changed {
            self.was_changed(CREDENTIALS, id);
        }
        match (before, live) {
            (None, None) => Ok(()),
            (None, Some((row, _))) => self.remove(tx, row).await,
            // It was deleted since, and stays so.
            (Some(_), None) if is_changed => Ok(()),
            (Some(before), None) => self.bring_back(tx, before.row).await,
            (Some(before), Some((live, _))) => {
                let facts = Facts {
                    mode: RestoreMode::Replace,
                    is_buried: false,
                    // Nothing was changed since: then it becomes exactly what it was.
                    is_revived: !is_changed,
                };
                let decision = rules::credential(before.row, Some(&live), facts, self.now);
                let name = RowName { id: id.to_owned(), name: live.display_name.clone() };
                self.report.kept(CREDENTIALS, &name, &decision.kept);
                match decision.row {
                    Some(row) => self.change(tx, row, &live).await,
                    None => Ok(()),
                }
            }
        }
    }

    async fn change(&mut self, tx: &mut Connection, row: CredentialRow, live: &CredentialRow) -> Result<()> {
        let seal = self.store.codes.seal_as(&row, self.events.change_id(CREDENTIALS))?;
        update(tx, &row, seal).await?;
        if row.labels != live.labels {
            sqlx::query(DELETE_LABELS).bind(&row.id).execute(&mut *tx).await?;
            insert_labels(tx, &row.id, &row.labels()).await?;
        }
        self.touch(CREDENTIALS, Touch::Changed, &row.id, &row.display_name);
        Ok(())
    }

    async fn bring_back(&mut self, tx: &mut Connection, row: CredentialRow) -> Result<()> {
        let row = CredentialRow { revision: self.now, ..row };
        let seal = self.store.codes.seal_as(&row, self.events.change_id(CREDENTIALS))?;
        insert(tx, &row, seal).await?;
        insert_labels(tx, &row.id, &row.labels()).await?;
        self.touch(CREDENTIALS, Touch::Created, &row.id, &row.display_name);
        Ok(())
    }

    /// One that the restore has made.
    async fn remove(&mut self, tx: &mut Connection, row: CredentialRow) -> Result<()> {
        let mut query = naming::<Database>(&row.id);
        query.push(FOR_CHANGE);
        let naming_it: Vec<Sealed<ReferenceRow>> = query.build_query_as().fetch_all(&mut *tx).await?;
        for sealed in naming_it {
            let (reference, seal) = self.store.codes.open_with_seal(sealed)?;
            if !self.is_of_restore(tx, &reference, &seal).await? {
                self.was_changed(REFERENCES, &reference.target());
                self.put_reference(tx, reference.without(&row.id), Touch::Changed).await?;
            }
        }
        sqlx::query(DELETE).bind(&row.id).execute(&mut *tx).await?;
        self.events.change_id(CREDENTIALS);
        self.touch(CREDENTIALS, Touch::Deleted, &row.id, &row.display_name);
        Ok(())
    }

    /// Whether the reference is as the restore left it, and so becomes what it was before.
    async fn is_of_restore(&self, tx: &mut Connection, row: &ReferenceRow, seal: &Seal) -> Result<bool> {
        let key = crate::store::restore::rows::reference_key(&row.kind, &row.consumer);
        let undo: Option<UndoRow> = sqlx::query_as(UndoRow::SELECT)
            .bind(self.id)
            .bind(REFERENCES)
            .bind(key)
            .fetch_optional(tx)
            .await?;
        Ok(undo.is_some_and(|undo| undo.change_id.as_ref() == Some(&seal.change_id)))
    }

    async fn previous(&mut self, tx: &mut Connection, undo: &UndoRow) -> Result<()> {
        let id = undo.row_key.as_str();
        let live: Option<Sealed<VersionRow>> =
            sqlx::query_as(PREVIOUS_OF).bind(id).fetch_optional(&mut *tx).await?;
        let live = live.map(|sealed| self.store.codes.open_with_seal(sealed)).transpose()?;
        let is_changed = live.is_some_and(|(_, seal)| Some(&seal.change_id) != undo.change_id.as_ref());
        if is_changed {
            self.was_changed(PREVIOUS, id);
            return Ok(());
        }
        sqlx::query(DELETE_PREVIOUS).bind(id).execute(&mut *tx).await?;
        let before: Option<Before<VersionRow>> = undo.before()?;
        let owner = existing(tx, &[id.to_owned()]).await?;
        if let Some(Before { row, .. }) = before.filter(|_| !owner.is_empty()) {
            let seal = self.store.codes.seal_as(&row, self.events.change_id(CREDENTIALS))?;
            version::insert(tx, &row, seal).await?;
            self.report.touched(PREVIOUS, Touch::Created, RowName::of(id));
        }
        Ok(())
    }

    async fn tombstone(&mut self, tx: &mut Connection, undo: &UndoRow) -> Result<()> {
        let id = undo.row_key.as_str();
        let Some(row) = undo.before::<TombstoneRow>()? else {
            sqlx::query(DELETE_TOMBSTONE).bind(id).execute(tx).await?;
            return Ok(());
        };
        if existing(tx, &[id.to_owned()]).await?.is_empty() {
            sqlx::query(PUT_TOMBSTONE)
                .bind(&row.id)
                .bind(&row.display_name)
                .bind(&row.provider)
                .bind(row.delete_time)
                .execute(tx)
                .await?;
        }
        Ok(())
    }

    async fn reference(&mut self, tx: &mut Connection, undo: &UndoRow) -> Result<()> {
        let (kind, consumer) = reference_names(&undo.row_key).ok_or_else(|| undo.tampered())?;
        let mut query = QueryBuilder::<Database>::new(ReferenceRow::SELECT);
        query.push(" WHERE r.kind = ").push_bind(kind.clone());
        query.push(" AND r.consumer = ").push_bind(consumer.clone()).push(FOR_CHANGE);
        let live: Option<Sealed<ReferenceRow>> = query.build_query_as().fetch_optional(&mut *tx).await?;
        let live = live.map(|sealed| self.store.codes.open_with_seal(sealed)).transpose()?;
        if live.as_ref().map(|(_, seal)| &seal.change_id) != undo.change_id.as_ref() {
            self.was_changed(REFERENCES, &format!("{kind}/{consumer}"));
        }
        let Some(Before { row, .. }) = undo.before::<Before<ReferenceRow>>()? else {
            if live.is_some() {
                sqlx::query(RELEASE).bind(&kind).bind(&consumer).execute(tx).await?;
                self.events.change_id(REFERENCES);
                self.touch(REFERENCES, Touch::Deleted, &format!("{kind}/{consumer}"), "");
            }
            return Ok(());
        };
        let named: Vec<String> = row.credential_ids().into_iter().map(str::to_owned).collect();
        let existing = existing(tx, &named).await?;
        let gone = named.iter().filter(|id| !existing.contains(*id));
        let row = gone.fold(row, |row, id| row.without(id));
        let touch = if live.is_some() { Touch::Changed } else { Touch::Created };
        self.put_reference(tx, row, touch).await
    }

    async fn put_reference(&mut self, tx: &mut Connection, row: ReferenceRow, touch: Touch) -> Result<()> {
        let seal = self.store.codes.seal_as(&row, self.events.change_id(REFERENCES))?;
        reference::write(tx, &row, seal).await?;
        self.touch(REFERENCES, touch, &row.target(), "");
        Ok(())
    }

    /// One that the restore has made, and that nobody has reissued or revoked since.
    async fn token(&mut self, tx: &mut Connection, undo: &UndoRow) -> Result<()> {
        let select = AssertSqlSafe(format!("{} WHERE id = $1", TokenRow::SELECT));
        let live: Option<Sealed<TokenRow>> =
            sqlx::query_as(select).bind(&undo.row_key).fetch_optional(&mut *tx).await?;
        let live = live.map(|sealed| self.store.codes.open_with_seal(sealed)).transpose()?;
        let Some((row, seal)) = live else { return Ok(()) };
        if Some(&seal.change_id) == undo.change_id.as_ref() {
            sqlx::query(DELETE_TOKEN).bind(&row.id).execute(tx).await?;
            self.events.change_id(TOKENS);
            self.touch(TOKENS, Touch::Deleted, &row.id, &row.name);
        }
        Ok(())
    }

    fn touch(&mut self, table: &str, touch: Touch, id: &str, name: &str) {
        self.events.add(touch, id);
        self.report.touched(table, touch, RowName { id: id.to_owned(), name: name.to_owned() });
    }

    fn was_changed(&mut self, table: &str, id: &str) {
        if self.changed.len() < MAX_NAMED {
            self.changed.push(format!("{table} {id}"));
        }
    }
}
