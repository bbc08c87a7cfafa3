//! Credentials in PostgreSQL.

use async_trait::async_trait;
use sqlx::QueryBuilder;
use strongroom_runtime::Selectors;
use strongroom_store::{Result, expect_rows};

use super::append::append;
use super::lists::{in_list, list, push_in_list};
use super::locks::LOCK_CREDENTIAL;
use super::request::claim;
use super::{Connection, Database, Store};
use crate::store::credential::{
    BURY, COUNT, COUNT_BINDINGS, COUNT_FALLBACKS, DELETE, DELETE_LABELS, INSERT, INSERT_LABEL, PROVIDERS,
    PreviousRow, ReferenceCountRow, SELECT, UPDATE, join, label_text,
};
use crate::store::granting::{Seal, Sealed};
use crate::store::pages;
use crate::store::reassignment::with_references;
use crate::store::selection::{push_credential, push_reference};
use crate::store::{
    Changed, Credential, CredentialChange, CredentialFilter, CredentialRow, CredentialStore, Labels,
    NewEvent, Once, RequestRow, Stats,
};

const PREVIOUS: &str =
    concat!("SELECT credential_id, expire_time FROM credential_versions WHERE credential_id", in_list!("$1"));

#[async_trait]
impl CredentialStore for Store {
    async fn create_credential(&self, row: &CredentialRow, labels: &Labels, event: &NewEvent) -> Result<()> {
        let mut tx = self.begin().await?;
        self.insert(&mut tx, row, labels, event).await?;
        append(&mut tx, event).await?;
        tx.commit().await
    }

    async fn create_credential_once(
        &self,
        row: &CredentialRow,
        labels: &Labels,
        request: &RequestRow,
        event: &NewEvent,
    ) -> Result<Once<()>> {
        let mut tx = self.begin().await?;
        if let Some(earlier) = claim(&mut tx, Some(request)).await? {
            return Ok(Once::Repeated(earlier));
        }
        self.insert(&mut tx, row, labels, event).await?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Once::First(()))
    }

    async fn credential(&self, id: &str, selection: &Selectors) -> Result<Option<Credential>> {
        let mut query = QueryBuilder::<Database>::new(SELECT);
        query.push(" WHERE c.id = ").push_bind(id).push(" AND ");
        push_credential(&mut query, selection);
        let mut reader = self.pools.begin_snapshot().await?;
        let found = query.build_query_as().fetch_optional(&mut *reader).await?;
        let row = self.codes.open_found(found)?.filter(|row: &CredentialRow| row.is_inside(selection));
        Ok(complete(&mut reader, row.into_iter().collect(), selection).await?.pop())
    }

    async fn credentials(
        &self,
        filter: &CredentialFilter,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Credential>> {
        let mut reader = self.pools.begin_snapshot().await?;
        let (mut list, mut after) = (Vec::new(), after.to_owned());
        let is_inside = |row: &CredentialRow| row.is_inside(&filter.selection);
        loop {
            let mut query = pages::credentials(filter, &after, limit);
            let rows = query.build_query_as().fetch_all(&mut *reader).await?;
            match self.codes.open_page(&mut list, rows, is_inside, limit)? {
                Some(last) => after = last.id,
                None => return complete(&mut reader, list, &filter.selection).await,
            }
        }
    }

    async fn update_credential(
        &self,
        id: &str,
        revision: Option<i64>,
        change: &CredentialChange,
        event: &NewEvent,
    ) -> Result<Changed<()>> {
        let mut tx = self.begin().await?;
        let row = match self.at_revision(&mut tx, id, revision).await? {
            Changed::Done(row) => row.changed(change),
            refused => return Ok(refused.without_row()),
        };
        update(&mut tx, &row, self.codes.seal(&row, event)?).await?;
        if let Some(labels) = &change.labels {
            sqlx::query(DELETE_LABELS).bind(id).execute(&mut *tx).await?;
            insert_labels(&mut tx, id, labels).await?;
        }
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Changed::Done(()))
    }

    async fn delete_credential(
        &self,
        id: &str,
        revision: Option<i64>,
        block: bool,
        selection: &Selectors,
        event: &NewEvent,
    ) -> Result<Changed<i64>> {
        let mut tx = self.begin().await?;
        let row = match self.at_revision(&mut tx, id, revision).await? {
            Changed::Done(row) => row,
            Changed::Stale => return Ok(Changed::Stale),
            Changed::Missing | Changed::Referenced(_) => return Ok(Changed::Missing),
        };
        let references = count(&mut tx, COUNT_BINDINGS, id, selection).await?;
        if block {
            let fallbacks = count(&mut tx, COUNT_FALLBACKS, id, selection).await?;
            if references + fallbacks > 0 {
                return Ok(Changed::Referenced(references + fallbacks));
            }
        }
        let changed = self.take_out(&mut tx, id, event).await?;
        let done = sqlx::query(DELETE).bind(id).execute(&mut *tx).await?;
        expect_rows("credentials", done.rows_affected(), 1)?;
        sqlx::query(BURY)
            .bind(&row.id)
            .bind(&row.display_name)
            .bind(&row.provider)
            .bind(event.time)
            .execute(&mut *tx)
            .await?;
        append(&mut tx, &with_references(event, &changed, None)).await?;
        tx.commit().await?;
        Ok(Changed::Done(references))
    }

    async fn credential_rows(
        &self,
        ids: &[String],
        selection: &Selectors,
    ) -> Result<Vec<(String, Result<CredentialRow>)>> {
        let mut query = QueryBuilder::<Database>::new(SELECT);
        query.push(" WHERE c.id");
        push_in_list(&mut query, ids);
        query.push(" AND ");
        push_credential(&mut query, selection);
        let rows: Vec<Sealed<CredentialRow>> = query.build_query_as().fetch_all(self.reader()).await?;
        let mut opened = Vec::with_capacity(rows.len());
        for sealed in rows {
            // An unreadable row is treated as missing: nothing tells which credential it was.
            let Ok(id) = sealed.unchecked().map(|(row, _)| row.id.clone()) else { continue };
            let row = self.codes.open(sealed);
            if row.as_ref().map_or(true, |row| row.is_inside(selection)) {
                opened.push((id, row));
            }
        }
        Ok(opened)
    }

    async fn credential_stats(&self, selection: &Selectors) -> Result<Stats> {
        let mut count = QueryBuilder::<Database>::new(COUNT);
        push_credential(&mut count, selection);
        let mut providers = QueryBuilder::<Database>::new(PROVIDERS);
        push_credential(&mut providers, selection);
        providers.push(" ORDER BY c.provider");
        let mut reader = self.pools.begin_snapshot().await?;
        let (total, active) = count.build_query_as().fetch_one(&mut *reader).await?;
        let providers = providers.build_query_scalar().fetch_all(&mut *reader).await?;
        Ok(Stats { total, active, providers })
    }
}

impl Store {
    /// Reads and locks the row for a change; a given `expected` revision must be its current one.
    pub(super) async fn at_revision(
        &self,
        tx: &mut Connection,
        id: &str,
        expected: Option<i64>,
    ) -> Result<Changed<CredentialRow>> {
        let found = sqlx::query_as(LOCK_CREDENTIAL).bind(id).fetch_optional(tx).await?;
        Ok(match self.codes.open_found::<CredentialRow>(found)? {
            None => Changed::Missing,
            Some(row) if expected.is_some_and(|expected| expected != row.revision) => Changed::Stale,
            Some(row) => Changed::Done(row),
        })
    }

    async fn insert(
        &self,
        tx: &mut Connection,
        row: &CredentialRow,
        labels: &Labels,
        event: &NewEvent,
    ) -> Result<()> {
        let row = CredentialRow { labels: label_text(labels), ..row.clone() };
        insert(tx, &row, self.codes.seal(&row, event)?).await?;
        insert_labels(tx, &row.id, labels).await
    }
}

/// Writes a changed row.
pub(super) async fn update(tx: &mut Connection, row: &CredentialRow, seal: Seal) -> Result<()> {
    let done = sqlx::query(UPDATE)
        .bind(&row.id)
        .bind(&row.display_name)
        .bind(row.active)
        .bind(row.expire_time)
        .bind(row.update_time)
        .bind(row.revision)
        .bind(&row.labels)
        .bind(&row.secret)
        .bind(&row.preview)
        .bind(seal.row_kid)
        .bind(seal.row_mac)
        .bind(seal.change_id)
        .bind(row.secret_time)
        .bind(row.deactivate_time)
        .execute(tx)
        .await?;
    expect_rows("credentials", done.rows_affected(), 1)
}

/// Number of the references to a credential that the caller can see, among those that `what` selects.
async fn count(tx: &mut Connection, what: &str, id: &str, selection: &Selectors) -> Result<i64> {
    let mut query = QueryBuilder::<Database>::new(what);
    query.push_bind(id).push(" AND ");
    push_reference(&mut query, selection);
    Ok(query.build_query_scalar().fetch_one(tx).await?)
}

async fn insert(tx: &mut Connection, row: &CredentialRow, seal: Seal) -> Result<()> {
    let done = sqlx::query(INSERT)
        .bind(&row.id)
        .bind(&row.display_name)
        .bind(&row.provider)
        .bind(&row.secret)
        .bind(&row.preview)
        .bind(row.active)
        .bind(row.create_time)
        .bind(row.update_time)
        .bind(row.last_used_time)
        .bind(row.expire_time)
        .bind(row.revision)
        .bind(&row.labels)
        .bind(seal.row_kid)
        .bind(seal.row_mac)
        .bind(seal.change_id)
        .bind(row.secret_time)
        .bind(row.deactivate_time)
        .execute(tx)
        .await?;
    expect_rows("credentials", done.rows_affected(), 1)
}

pub(super) async fn insert_labels(tx: &mut Connection, id: &str, labels: &Labels) -> Result<()> {
    for (name, value) in labels {
        sqlx::query(INSERT_LABEL).bind(id).bind(name).bind(value).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Adds reference counts and previous secrets: two more statements, regardless of the number of rows.
async fn complete(
    reader: &mut Connection,
    rows: Vec<CredentialRow>,
    selection: &Selectors,
) -> Result<Vec<Credential>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let counts = reference_counts(&mut *reader, &rows, selection).await?;
    let ids = list(rows.iter().map(|row| row.id.as_str()).collect());
    let previous: Vec<PreviousRow> = sqlx::query_as(PREVIOUS).bind(&ids).fetch_all(&mut *reader).await?;
    Ok(join(rows, counts, previous))
}

/// Bindings and fallbacks to `rows`, by kind, as far as the caller can see them.
async fn reference_counts(
    reader: &mut Connection,
    rows: &[CredentialRow],
    selection: &Selectors,
) -> Result<Vec<ReferenceCountRow>> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let mut query = QueryBuilder::<Database>::new(
        "SELECT credential_id, kind, count(*) AS \"references\" FROM (
             SELECT r.credential_id, r.kind FROM credential_references r WHERE r.credential_id",
    );
    push_in_list(&mut query, &ids);
    query.push(" AND ");
    push_reference(&mut query, selection);
    query.push(" UNION ALL SELECT m.credential_id, m.kind FROM credential_fallbacks m");
    if !selection.is_everything() {
        query.push(" JOIN credential_references r ON r.kind = m.kind AND r.consumer = m.consumer");
    }
    query.push(" WHERE m.credential_id");
    push_in_list(&mut query, &ids);
    if !selection.is_everything() {
        query.push(" AND ");
        push_reference(&mut query, selection);
    }
    query.push(") used GROUP BY credential_id, kind");
    Ok(query.build_query_as().fetch_all(reader).await?)
}
