//! Rolls back a restore in PostgreSQL: each row gets its previous state.
//!
//! What was made stricter since the restore stays so: a credential stays deleted, deactivated or rotated, and keeps an
//! earlier expiry; a token that was revoked stays in the list as revoked.

use std::collections::BTreeSet;

use strongroom_store::Result;

use super::locks::LOCK_TOKEN;
use super::restore_rows::{PAGE, buried};
use super::restore_write::{
    Credentials, delete, existing, live_credentials, live_previous, live_references, naming, put_previous,
    put_references, release,
};
use super::{Connection, Store};
use crate::store::granting::{Granting as _, Seal, Sealed};
use crate::store::restore::record::{Report, RowEvents, RowName, Touch};
use crate::store::restore::rows::{
    Before, CREDENTIALS, PREVIOUS, REFERENCES, TOKENS, TOMBSTONES, TombstoneRow, reference_key,
    reference_names,
};
use crate::store::restore::rules::{self, Facts};
use crate::store::restore::undo::{StoredUndo, UndoRow};
use crate::store::restore::{
    DELETE_CREDENTIALS, DELETE_PREVIOUS, DELETE_TOKEN, DELETE_TOMBSTONES, PUT_TOMBSTONE, RestoreMode, UNDO,
};
use crate::store::{CredentialRow, NewEvent, ReferenceRow, TokenRow, VersionRow};

/// Maximum number of changed rows that are named.
const MAX_NAMED: usize = 20;

/// The result of a rollback.
pub(super) struct Undone {
    pub(super) report: Report,
    pub(super) events: Vec<NewEvent>,
    /// Rows that were changed since the restore.
    pub(super) changed: Vec<String>,
}

/// An open rollback.
pub(super) struct Undoing<'u> {
    store: &'u Store,
    id: &'u str,
    now: i64,
    report: Report,
    events: RowEvents,
    changed: Vec<String>,
    /// Ids of all changed credentials, including those beyond [`MAX_NAMED`].
    changed_ids: BTreeSet<String>,
}

/// The changes of a page of credentials.
#[derive(Default)]
struct Page {
    credentials: Credentials,
    /// Credentials that the restore created.
    removed: Vec<String>,
}

impl<'u> Undoing<'u> {
    pub(super) fn of(store: &'u Store, id: &'u str, now: i64, event: &NewEvent) -> Result<Self> {
        let events = RowEvents::of(event, event.change_id()?);
        Ok(Self {
            store,
            id,
            now,
            report: Report::default(),
            events,
            changed: Vec::new(),
            changed_ids: BTreeSet::new(),
        })
    }

    pub(super) async fn undo(mut self, tx: &mut Connection) -> Result<Undone> {
        for table in [CREDENTIALS, PREVIOUS, TOMBSTONES, REFERENCES, TOKENS] {
            let mut after = String::new();
            loop {
                let page = self.page(tx, table, &mut after).await?;
                if page.is_empty() {
                    break;
                }
                match table {
                    CREDENTIALS => self.credentials(tx, &page).await?,
                    PREVIOUS => self.previous(tx, &page).await?,
                    TOMBSTONES => self.tombstones(tx, &page).await?,
                    REFERENCES => self.references(tx, &page).await?,
                    _ => self.tokens(tx, &page).await?,
                }
            }
        }
        Ok(Undone { report: self.report, events: self.events.finish(), changed: self.changed })
    }

    /// Rows of a table after a key, each checked.
    async fn page(&self, tx: &mut Connection, table: &str, after: &mut String) -> Result<Vec<UndoRow>> {
        let page: Vec<StoredUndo> = sqlx::query_as(UNDO)
            .bind(self.id)
            .bind(table)
            .bind(after.as_str())
            .bind(PAGE)
            .fetch_all(tx)
            .await?;
        if let Some(last) = page.last() {
            after.clone_from(&last.row.row_key);
        }
        page.into_iter().map(|stored| self.checked(stored)).collect()
    }

    /// One row, checked.
    async fn find(&self, tx: &mut Connection, table: &str, key: &str) -> Result<Option<UndoRow>> {
        let found: Option<StoredUndo> =
            sqlx::query_as(UndoRow::SELECT).bind(self.id).bind(table).bind(key).fetch_optional(tx).await?;
        found.map(|stored| self.checked(stored)).transpose()
    }

    fn checked(&self, StoredUndo { row, code }: StoredUndo) -> Result<UndoRow> {
        match self.store.codes.vouches(&row, &code.seal())? {
            true => Ok(row),
            false => Err(row.tampered()),
        }
    }

    async fn credentials(&mut self, tx: &mut Connection, rows: &[UndoRow]) -> Result<()> {
        let mut live = live_credentials(tx, &keys(rows)).await?;
        let buried = self.buried_since(tx, &keys(rows)).await?;
        let mut page = Page::default();
        for undo in rows {
            let live = live.remove(&undo.row_key);
            let live = live.map(|sealed| self.store.codes.open_with_seal(sealed)).transpose()?;
            self.credential(undo, (live, buried.contains(&undo.row_key)), &mut page)?;
        }
        page.credentials.write(tx).await?;
        self.remove(tx, &page.removed).await
    }

    fn credential(
        &mut self,
        undo: &UndoRow,
        (live, is_buried): (Option<(CredentialRow, Seal)>, bool),
        page: &mut Page,
    ) -> Result<()> {
        let id = undo.row_key.as_str();
        let is_other = live.as_ref().map(|(_, seal)| &seal.change_id) != undo.change_id.as_ref();
        let is_changed = is_other || (is_buried && undo.content.is_some());
        if is_changed {
            self.was_changed(CREDENTIALS, id);
            self.changed_ids.insert(id.to_owned());
        }
        match (undo.before::<Before<CredentialRow>>()?, live) {
            (None, Some((row, _))) => {
                self.events.change_id(CREDENTIALS);
                self.touch(CREDENTIALS, Touch::Deleted, id, &row.display_name);
                page.removed.push(row.id);
                Ok(())
            }
            (Some(before), None) if !is_changed => {
                self.put(CredentialRow { revision: self.now, ..before.row }, None, page)
            }
            (Some(before), Some((live, _))) => self.change(before.row, &live, is_changed, page),
            // The credential was deleted since, and stays so.
            (_, None) => Ok(()),
        }
    }

    /// The credentials that were deleted since the restore. A tombstone that the restore itself created does not count.
    async fn buried_since(&self, tx: &mut Connection, ids: &[String]) -> Result<BTreeSet<String>> {
        let mut since = BTreeSet::new();
        for id in buried(tx, ids).await?.into_keys() {
            let undo = self.find(tx, TOMBSTONES, &id).await?;
            if undo.is_none_or(|undo| undo.content.is_some()) {
                since.insert(id);
            }
        }
        Ok(since)
    }

    fn change(
        &mut self,
        before: CredentialRow,
        live: &CredentialRow,
        is_changed: bool,
        page: &mut Page,
    ) -> Result<()> {
        let facts = Facts {
            mode: RestoreMode::Replace,
            is_buried: false,
            // If nothing was changed since, the row gets exactly its previous state.
            is_revived: !is_changed,
        };
        let name = RowName { id: live.id.clone(), name: live.display_name.clone() };
        let decision = rules::credential(before, Some(live), facts, self.now);
        self.report.kept(CREDENTIALS, &name, &decision.kept);
        decision.row.map_or(Ok(()), |row| self.put(row, Some(live), page))
    }

    fn put(&mut self, row: CredentialRow, live: Option<&CredentialRow>, page: &mut Page) -> Result<()> {
        let seal = self.store.codes.seal_as(&row, self.events.change_id(CREDENTIALS))?;
        let touch = if live.is_some() { Touch::Changed } else { Touch::Created };
        self.touch(CREDENTIALS, touch, &row.id, &row.display_name);
        page.credentials.add(row, seal, live);
        Ok(())
    }

    /// Removes credentials that the restore created.
    async fn remove(&mut self, tx: &mut Connection, ids: &[String]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut written = Vec::new();
        for sealed in naming(tx, ids).await? {
            let (reference, seal) = self.store.codes.open_with_seal(sealed)?;
            if !self.is_of_restore(tx, &reference, &seal).await? {
                self.was_changed(REFERENCES, &reference.target());
                let row = ids.iter().fold(reference, |row, id| row.without(id));
                written.push(self.put_reference(row, Touch::Changed)?);
            }
        }
        put_references(tx, &written).await?;
        delete(tx, DELETE_CREDENTIALS, ids).await
    }

    /// Whether the reference is unchanged since the restore. If so, [`Self::references`] restores it.
    async fn is_of_restore(&self, tx: &mut Connection, row: &ReferenceRow, seal: &Seal) -> Result<bool> {
        let undo = self.find(tx, REFERENCES, &reference_key(&row.kind, &row.consumer)).await?;
        Ok(undo.is_some_and(|undo| undo.change_id.as_ref() == Some(&seal.change_id)))
    }

    async fn previous(&mut self, tx: &mut Connection, rows: &[UndoRow]) -> Result<()> {
        let ids = keys(rows);
        let (mut live, owners) = (live_previous(tx, &ids).await?, existing(tx, &ids).await?);
        let (mut removed, mut written) = (Vec::new(), Vec::new());
        for undo in rows {
            let id = undo.row_key.as_str();
            let live = live.remove(id).map(|sealed| self.store.codes.open_with_seal(sealed)).transpose()?;
            if live.is_some_and(|(_, seal)| Some(&seal.change_id) != undo.change_id.as_ref()) {
                self.was_changed(PREVIOUS, id);
                continue;
            }
            removed.push(id.to_owned());
            let before: Option<Before<VersionRow>> = undo.before()?;
            // A later rotation may have removed the previous secret on purpose.
            let is_put_back = owners.contains(id) && !self.changed_ids.contains(id);
            if let Some(Before { row, .. }) = before.filter(|_| is_put_back) {
                let seal = self.store.codes.seal_as(&row, self.events.change_id(CREDENTIALS))?;
                written.push((row, seal));
                self.report.touched(PREVIOUS, Touch::Created, RowName::of(id));
            }
        }
        delete(tx, DELETE_PREVIOUS, &removed).await?;
        put_previous(tx, &written).await
    }

    async fn tombstones(&mut self, tx: &mut Connection, rows: &[UndoRow]) -> Result<()> {
        let live = existing(tx, &keys(rows)).await?;
        let mut removed = Vec::new();
        for undo in rows {
            match undo.before::<TombstoneRow>()? {
                None => removed.push(undo.row_key.clone()),
                Some(row) if !live.contains(&row.id) => {
                    sqlx::query(PUT_TOMBSTONE)
                        .bind(&row.id)
                        .bind(&row.display_name)
                        .bind(&row.provider)
                        .bind(row.delete_time)
                        .execute(&mut *tx)
                        .await?;
                }
                Some(_) => {}
            }
        }
        delete(tx, DELETE_TOMBSTONES, &removed).await
    }

    async fn references(&mut self, tx: &mut Connection, rows: &[UndoRow]) -> Result<()> {
        let names = |undo: &UndoRow| reference_names(&undo.row_key).ok_or_else(|| undo.tampered());
        let names: Vec<(String, String)> = rows.iter().map(names).collect::<Result<_>>()?;
        let mut live = live_references(tx, &names).await?;
        let befores: Vec<Option<Before<ReferenceRow>>> =
            rows.iter().map(UndoRow::before).collect::<Result<_>>()?;
        let named = befores.iter().flatten().flat_map(|before| before.row.credential_ids());
        let named: Vec<String> = named.map(str::to_owned).collect();
        let existing = existing(tx, &named).await?;
        let (mut released, mut written) = (Vec::new(), Vec::new());
        for ((undo, before), name) in rows.iter().zip(befores).zip(names) {
            let live = live.remove(&undo.row_key);
            let target = format!("{}/{}", name.0, name.1);
            match self.reference((undo, &target), live, (before, &existing))? {
                Some(row) => written.push(row),
                None => released.push(name),
            }
        }
        release(tx, &released).await?;
        put_references(tx, &written).await
    }

    /// The reference's previous state, if it existed.
    fn reference(
        &mut self,
        (undo, target): (&UndoRow, &str),
        live: Option<Sealed<ReferenceRow>>,
        (before, existing): (Option<Before<ReferenceRow>>, &BTreeSet<String>),
    ) -> Result<Option<(ReferenceRow, Seal)>> {
        let live = live.map(|sealed| self.store.codes.open_with_seal(sealed)).transpose()?;
        if live.as_ref().map(|(_, seal)| &seal.change_id) != undo.change_id.as_ref() {
            self.was_changed(REFERENCES, target);
        }
        let Some(Before { row, .. }) = before else {
            if live.is_some() {
                self.events.change_id(REFERENCES);
                self.touch(REFERENCES, Touch::Deleted, target, "");
            }
            return Ok(None);
        };
        let gone: Vec<String> = row.credential_ids().into_iter().map(str::to_owned).collect();
        let row = gone.iter().filter(|id| !existing.contains(*id)).fold(row, |row, id| row.without(id));
        let touch = if live.is_some() { Touch::Changed } else { Touch::Created };
        self.put_reference(row, touch).map(Some)
    }

    fn put_reference(&mut self, row: ReferenceRow, touch: Touch) -> Result<(ReferenceRow, Seal)> {
        let seal = self.store.codes.seal_as(&row, self.events.change_id(REFERENCES))?;
        self.touch(REFERENCES, touch, &row.target(), "");
        Ok((row, seal))
    }

    /// Removes the tokens that the restore created and that nobody has reissued or revoked since.
    async fn tokens(&mut self, tx: &mut Connection, rows: &[UndoRow]) -> Result<()> {
        for undo in rows {
            // A concurrent reissue either waits for this lock and then finds the token gone, or is seen here.
            let live: Option<Sealed<TokenRow>> =
                sqlx::query_as(LOCK_TOKEN).bind(&undo.row_key).fetch_optional(&mut *tx).await?;
            let live = live.map(|sealed| self.store.codes.open_with_seal(sealed)).transpose()?;
            let Some((row, seal)) = live else { continue };
            if Some(&seal.change_id) == undo.change_id.as_ref() {
                sqlx::query(DELETE_TOKEN).bind(&row.id).execute(&mut *tx).await?;
                self.events.change_id(TOKENS);
                self.touch(TOKENS, Touch::Deleted, &row.id, &row.name);
            }
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

fn keys(rows: &[UndoRow]) -> Vec<String> {
    rows.iter().map(|row| row.row_key.clone()).collect()
}
