//! References in PostgreSQL.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::QueryBuilder;
use strongroom_runtime::Selectors;
use strongroom_store::Result;

use super::append::append;
use super::lists::push_pairs;
use super::locks::{FOR_CHANGE, LOCK_REVISION, LOCK_VIA};
use super::{Connection, Database, Store};
use crate::store::granting::{Seal, Sealed};
use crate::store::pages;
use crate::store::reassignment::with_references;
use crate::store::reference::{
    ASKED, COUNT_VIA, DELETE_FALLBACKS, INSERT_FALLBACK, LED, RELEASE, SELECT, WRITE, naming,
};
use crate::store::resolution::{Led, candidates, fallbacks};
use crate::store::selection::{push_credential, push_reference};
use crate::store::{
    Bound, CandidateRow, CredentialRow, CredentialStore as _, NewEvent, Reassigned, Reassignment,
    ReferenceFilter, ReferenceRow, ReferenceStore,
};

#[async_trait]
impl ReferenceStore for Store {
    async fn bind_reference(
        &self,
        row: &ReferenceRow,
        selection: &Selectors,
        event: &NewEvent,
    ) -> Result<Bound> {
        let mut tx = self.begin().await?;
        for id in row.credential_ids() {
            if !exists(&mut tx, id, selection).await? {
                return Ok(Bound::Missing(id.to_owned()));
            }
        }
        if let Some(refused) = self.check_via(&mut tx, row, selection).await? {
            return Ok(refused);
        }
        let everything = Selectors::default();
        let mut row = row.clone();
        if let Some(earlier) = self.find(&mut tx, &row.kind, &row.consumer, &everything).await? {
            let is_seen = self.find(&mut tx, &row.kind, &row.consumer, selection).await?.is_some();
            if !is_seen && !earlier.leads_nowhere() {
                return Ok(Bound::Outside);
            }
            if is_seen {
                row.create_time = earlier.create_time;
            }
        }
        write(&mut tx, &row, self.codes.seal(&row, event)?).await?;
        if !row.via_kind.is_empty() && leads_others(&mut tx, &row).await? {
            return Ok(Bound::ViaIndirect);
        }
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Bound::Done(row))
    }

    async fn reference(
        &self,
        kind: &str,
        consumer: &str,
        selection: &Selectors,
    ) -> Result<Option<ReferenceRow>> {
        let mut reader = self.reader().acquire().await?;
        self.find(&mut reader, kind, consumer, selection).await
    }

    async fn references(
        &self,
        filter: &ReferenceFilter,
        after: (&str, &str),
        limit: i64,
    ) -> Result<Vec<ReferenceRow>> {
        let (mut list, mut after) = (Vec::new(), (after.0.to_owned(), after.1.to_owned()));
        loop {
            let mut query = pages::references(filter, (&after.0, &after.1), limit);
            let rows = query.build_query_as().fetch_all(self.reader()).await?;
            match self.codes.open_page(&mut list, rows, |_: &ReferenceRow| true, limit)? {
                Some(last) => after = (last.kind, last.consumer),
                None => return Ok(list),
            }
        }
    }

    async fn candidates(
        &self,
        references: &[(String, String)],
        selection: &Selectors,
    ) -> Result<BTreeMap<(String, String), Result<Vec<CandidateRow>>>> {
        let mut query = QueryBuilder::<Database>::new("WITH asked AS (");
        push_pairs(&mut query, references, ("kind", "consumer"));
        query.push("), led AS (").push(ASKED).push(LED);
        let led: Vec<Led> = query.build_query_as().fetch_all(self.reader()).await?;
        let (mut rows, mut credentials, mut found) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for Led { reference, credential } in led {
            let name = reference.unchecked().map(|(row, _)| (row.kind.clone(), row.consumer.clone()));
            match (name, self.codes.open::<ReferenceRow>(reference)) {
                (Ok(name), Ok(row)) => drop(rows.insert(name, row)),
                (Ok(name), Err(error)) if references.contains(&name) => drop(found.insert(name, Err(error))),
                // A template that does not open is treated as missing.
                (_, Err(error)) => tracing::error!(%error, "a template is skipped"),
                (Err(_), Ok(_)) => {}
            }
            if let Some(row) = credential.and_then(|sealed| self.opened_inside(sealed, selection)) {
                credentials.insert(row.id.clone(), row);
            }
        }
        let mut fallbacks = fallbacks(&rows);
        // Fallbacks that were not found through the index.
        fallbacks.retain(|id| !credentials.contains_key(id));
        if !fallbacks.is_empty() {
            let others = self.credential_rows(&fallbacks, selection).await?;
            credentials.extend(others.into_iter().filter_map(|(id, row)| Some((id, row.ok()?))));
        }
        for row in candidates(references, &rows, &credentials, selection) {
            let of_one =
                found.entry((row.kind.clone(), row.consumer.clone())).or_insert_with(|| Ok(Vec::new()));
            if let Ok(candidates) = of_one {
                candidates.push(row);
            }
        }
        Ok(found)
    }

    async fn reassign_references(&self, moved: &Reassignment<'_>, event: &NewEvent) -> Result<Reassigned> {
        let mut tx = self.begin().await?;
        for id in moved.credentials() {
            if !exists(&mut tx, id, moved.selection).await? {
                return Ok(Reassigned::Missing(id.to_owned()));
            }
        }
        let mut mismatch = moved.mismatch::<Database>();
        if let Some(row) = mismatch.build_query_as().fetch_optional(&mut *tx).await? {
            return Ok(Reassigned::Mismatch(row));
        }
        let mut query = naming::<Database>(moved.from);
        query.push(" AND ");
        push_reference(&mut query, moved.selection);
        query.push(FOR_CHANGE);
        let naming_it = query.build_query_as().fetch_all(&mut *tx).await?;
        let mut changed = Vec::new();
        let mut count = 0;
        for sealed in naming_it {
            let (row, names) =
                self.codes.open::<ReferenceRow>(sealed)?.reassigned(moved.from, moved.to, moved.now);
            write(&mut tx, &row, self.codes.seal(&row, event)?).await?;
            changed.push(row);
            count += names;
        }
        append(&mut tx, &with_references(event, &changed, Some(count))).await?;
        tx.commit().await?;
        Ok(Reassigned::Done(count))
    }

    async fn release_reference(
        &self,
        kind: &str,
        consumer: &str,
        selection: &Selectors,
        event: &NewEvent,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        if self.find(&mut tx, kind, consumer, selection).await?.is_none() {
            return Ok(false);
        }
        let done = sqlx::query(RELEASE).bind(kind).bind(consumer).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Checks that the caller can see the credential, and locks it until the change commits.
async fn exists(tx: &mut Connection, credential_id: &str, selection: &Selectors) -> Result<bool> {
    let found: Option<i64> =
        sqlx::query_scalar(LOCK_REVISION).bind(credential_id).fetch_optional(&mut *tx).await?;
    if selection.is_everything() || found.is_none() {
        return Ok(found.is_some());
    }
    let mut query = QueryBuilder::<Database>::new("SELECT c.revision FROM credentials c WHERE c.id = ");
    query.push_bind(credential_id).push(" AND ");
    push_credential(&mut query, selection);
    let seen: Option<i64> = query.build_query_scalar().fetch_optional(tx).await?;
    Ok(seen.is_some())
}

impl Store {
    /// The credential, if it opens and is inside the selection. One that does not open is skipped like a missing one,
    /// and logged.
    fn opened_inside(&self, sealed: Sealed<CredentialRow>, selection: &Selectors) -> Option<CredentialRow> {
        let opened = self.codes.open(sealed);
        if let Err(error) = &opened {
            tracing::error!(%error, "a credential is skipped");
        }
        opened.ok().filter(|row| row.is_inside(selection))
    }

    async fn find(
        &self,
        connection: &mut Connection,
        kind: &str,
        consumer: &str,
        selection: &Selectors,
    ) -> Result<Option<ReferenceRow>> {
        let mut query = QueryBuilder::<Database>::new(SELECT);
        query.push(" WHERE r.kind = ").push_bind(kind).push(" AND r.consumer = ").push_bind(consumer);
        query.push(" AND ");
        push_reference(&mut query, selection);
        self.codes.open_found(query.build_query_as().fetch_optional(connection).await?)
    }

    /// The reason why the reference cannot go through the one that it names.
    async fn check_via(
        &self,
        tx: &mut Connection,
        row: &ReferenceRow,
        selection: &Selectors,
    ) -> Result<Option<Bound>> {
        if row.via_kind.is_empty() {
            return Ok(None);
        }
        let (kind, consumer) = (&row.via_kind, &row.via_consumer);
        let template: Option<String> =
            sqlx::query_scalar(LOCK_VIA).bind(kind).bind(consumer).fetch_optional(&mut *tx).await?;
        let seen = selection.is_everything() || self.find(tx, kind, consumer, selection).await?.is_some();
        Ok(match template.as_deref().filter(|_| seen) {
            None => Some(Bound::ViaMissing),
            Some("") => None,
            Some(_) => Some(Bound::ViaIndirect),
        })
    }

    /// Removes a credential that is being deleted from every reference that names it; returns the changed references.
    pub(super) async fn take_out(
        &self,
        tx: &mut Connection,
        credential_id: &str,
        event: &NewEvent,
    ) -> Result<Vec<ReferenceRow>> {
        let mut query = naming::<Database>(credential_id);
        query.push(FOR_CHANGE);
        let naming_it = query.build_query_as().fetch_all(&mut *tx).await?;
        let mut changed = Vec::new();
        for sealed in naming_it {
            let row = self.codes.open::<ReferenceRow>(sealed)?.without(credential_id);
            write(tx, &row, self.codes.seal(&row, event)?).await?;
            changed.push(row);
        }
        Ok(changed)
    }
}

/// Whether other references go through it.
async fn leads_others(tx: &mut Connection, row: &ReferenceRow) -> Result<bool> {
    let others: i64 = sqlx::query_scalar(COUNT_VIA).bind(&row.kind).bind(&row.consumer).fetch_one(tx).await?;
    Ok(others > 0)
}

async fn write(tx: &mut Connection, row: &ReferenceRow, seal: Seal) -> Result<()> {
    sqlx::query(WRITE)
        .bind(&row.kind)
        .bind(&row.consumer)
        .bind(&row.credential_id)
        .bind(&row.needs_provider)
        .bind(row.create_time)
        .bind(row.update_time)
        .bind(&row.via_kind)
        .bind(&row.via_consumer)
        .bind(&row.fallbacks)
        .bind(seal.row_kid)
        .bind(seal.row_mac)
        .bind(seal.change_id)
        .execute(&mut *tx)
        .await?;
    sqlx::query(DELETE_FALLBACKS).bind(&row.kind).bind(&row.consumer).execute(&mut *tx).await?;
    for (position, id) in (0_i64..).zip(row.fallback_ids()) {
        sqlx::query(INSERT_FALLBACK)
            .bind(&row.kind)
            .bind(&row.consumer)
            .bind(position)
            .bind(id)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}
