//! Writes many rows with one statement, for a restore in SQLite: a reveal in the meantime has to wait.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::QueryBuilder;
use strongroom_store::{Result, expect_rows};

use super::credential::insert_labels;
use super::lists::{push_in_list, push_pairs};
use super::locks::FOR_CHANGE;
use super::{Connection, Database};
use crate::store::credential::DELETE_LABELS;
use crate::store::granting::{Granting as _, Seal, Sealed};
use crate::store::restore::rows::{StagedRow, reference_key};
use crate::store::restore::undo::{UndoRow, content};
use crate::store::restore::{
    CREDENTIAL_COLUMNS, CREDENTIAL_CONFLICT, PREVIOUS_COLUMNS, REFERENCE_COLUMNS, REFERENCE_CONFLICT,
    STAGED_COLUMNS, STAGED_CONFLICT, UNDO_COLUMNS, UNDO_CONFLICT,
};
use crate::store::{CredentialRow, ReferenceRow, VersionRow, credential as credentials};

/// Rows in one statement: even the widest table stays far below the limit on arguments of either engine.
const ROWS: usize = 100;

/// False if one of the rows is already staged.
pub(super) async fn put_staged(tx: &mut Connection, stage_id: &str, rows: &[StagedRow]) -> Result<bool> {
    for some in rows.chunks(ROWS) {
        let texts: Vec<String> = some.iter().map(content).collect::<Result<_>>()?;
        let mut query = QueryBuilder::<Database>::new(STAGED_COLUMNS);
        query.push_values(some.iter().zip(&texts), |mut values, (row, text)| {
            values.push_bind(stage_id).push_bind(row.table()).push_bind(row.key()).push_bind(text);
        });
        let done = query.push(STAGED_CONFLICT).build().execute(&mut *tx).await?;
        if done.rows_affected() != some.len() as u64 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Credentials that are written together.
#[derive(Default)]
pub(super) struct Credentials {
    rows: Vec<(CredentialRow, Seal)>,
    /// Ids of existing credentials whose labels change.
    relabelled: Vec<String>,
    /// Indexes in `rows` of the credentials whose labels are written.
    labelled: Vec<usize>,
}

impl Credentials {
    /// Adds a new row, or the new state of `before`.
    pub(super) fn add(&mut self, row: CredentialRow, seal: Seal, before: Option<&CredentialRow>) {
        let has_labels = before.map(|before| before.labels == row.labels);
        if has_labels == Some(false) {
            self.relabelled.push(row.id.clone());
        }
        if has_labels != Some(true) {
            self.labelled.push(self.rows.len());
        }
        self.rows.push((row, seal));
    }

    pub(super) async fn write(self, tx: &mut Connection) -> Result<()> {
        for some in self.rows.chunks(ROWS) {
            let mut query = QueryBuilder::<Database>::new(CREDENTIAL_COLUMNS);
            query.push_values(some, |mut values, (row, seal)| {
                values.push_bind(&row.id).push_bind(&row.display_name).push_bind(&row.provider);
                values.push_bind(&row.secret).push_bind(&row.preview).push_bind(row.active);
                values.push_bind(row.create_time).push_bind(row.update_time).push_bind(row.last_used_time);
                values.push_bind(row.expire_time).push_bind(row.revision).push_bind(&row.labels);
                values.push_bind(&seal.row_kid).push_bind(&seal.row_mac).push_bind(&seal.change_id);
                values.push_bind(row.secret_time).push_bind(row.deactivate_time);
            });
            run(tx, query.push(CREDENTIAL_CONFLICT), ("credentials", some.len())).await?;
        }
        for id in &self.relabelled {
            sqlx::query(DELETE_LABELS).bind(id).execute(&mut *tx).await?;
        }
        for at in self.labelled {
            let row = &self.rows[at].0;
            insert_labels(tx, &row.id, &row.labels()).await?;
        }
        Ok(())
    }
}

pub(super) async fn put_previous(tx: &mut Connection, rows: &[(VersionRow, Seal)]) -> Result<()> {
    for some in rows.chunks(ROWS) {
        let mut query = QueryBuilder::<Database>::new(PREVIOUS_COLUMNS);
        query.push_values(some, |mut values, (row, seal)| {
            values.push_bind(&row.id).push_bind(&row.credential_id).push_bind(&row.secret);
            values.push_bind(&row.preview).push_bind(row.create_time).push_bind(row.expire_time);
            values.push_bind(&seal.row_kid).push_bind(&seal.row_mac).push_bind(&seal.change_id);
        });
        run(tx, &mut query, ("credential_versions", some.len())).await?;
    }
    Ok(())
}

pub(super) async fn put_references(tx: &mut Connection, rows: &[(ReferenceRow, Seal)]) -> Result<()> {
    for some in rows.chunks(ROWS) {
        let mut query = QueryBuilder::<Database>::new(REFERENCE_COLUMNS);
        query.push_values(some, |mut values, (row, seal)| {
            values.push_bind(&row.kind).push_bind(&row.consumer).push_bind(&row.credential_id);
            values.push_bind(&row.needs_provider).push_bind(row.create_time).push_bind(row.update_time);
            values.push_bind(&row.via_kind).push_bind(&row.via_consumer).push_bind(&row.fallbacks);
            values.push_bind(&seal.row_kid).push_bind(&seal.row_mac).push_bind(&seal.change_id);
        });
        run(tx, query.push(REFERENCE_CONFLICT), ("credential_references", some.len())).await?;
        put_fallbacks(tx, some).await?;
    }
    Ok(())
}

async fn put_fallbacks(tx: &mut Connection, rows: &[(ReferenceRow, Seal)]) -> Result<()> {
    let names: Vec<(String, String)> = rows.iter().map(|(row, _)| name(row)).collect();
    let mut query =
        QueryBuilder::<Database>::new("DELETE FROM credential_fallbacks WHERE (kind, consumer) IN (");
    push_pairs(&mut query, &names, ("kind", "consumer"));
    query.push(")").build().execute(&mut *tx).await?;
    let mut fallbacks: Vec<(&ReferenceRow, i64, &str)> = Vec::new();
    for (row, _) in rows {
        fallbacks.extend((0..).zip(row.fallback_ids()).map(|(position, id)| (row, position, id)));
    }
    for some in fallbacks.chunks(ROWS) {
        let into = "INSERT INTO credential_fallbacks (kind, consumer, position, credential_id) ";
        let mut query = QueryBuilder::<Database>::new(into);
        query.push_values(some, |mut values, (row, position, id)| {
            values.push_bind(&row.kind).push_bind(&row.consumer).push_bind(*position).push_bind(*id);
        });
        run(tx, &mut query, ("credential_fallbacks", some.len())).await?;
    }
    Ok(())
}

pub(super) async fn put_undo(tx: &mut Connection, rows: &[(UndoRow, Seal)]) -> Result<()> {
    for some in rows.chunks(ROWS) {
        let mut query = QueryBuilder::<Database>::new(UNDO_COLUMNS);
        query.push_values(some, |mut values, (row, seal)| {
            values.push_bind(&row.stage_id).push_bind(&row.table_name).push_bind(&row.row_key);
            values.push_bind(&row.content).push_bind(&row.change_id);
            values.push_bind(&seal.row_kid).push_bind(&seal.row_mac);
        });
        run(tx, query.push(UNDO_CONFLICT), ("restore_undo", some.len())).await?;
    }
    Ok(())
}

async fn run(
    tx: &mut Connection,
    query: &mut QueryBuilder<Database>,
    (table, rows): (&'static str, usize),
) -> Result<()> {
    let done = query.build().execute(tx).await?;
    expect_rows(table, done.rows_affected(), rows as u64)
}

/// Completes and runs the DELETE `sql`, which ends with the column that `values` belong to.
pub(super) async fn delete(tx: &mut Connection, sql: &'static str, values: &[String]) -> Result<()> {
    if !values.is_empty() {
        let mut query = QueryBuilder::<Database>::new(sql);
        push_in_list(&mut query, values);
        query.build().execute(tx).await?;
    }
    Ok(())
}

pub(super) async fn release(tx: &mut Connection, names: &[(String, String)]) -> Result<()> {
    if !names.is_empty() {
        let sql = "DELETE FROM credential_references WHERE (kind, consumer) IN (";
        let mut query = QueryBuilder::<Database>::new(sql);
        push_pairs(&mut query, names, ("kind", "consumer"));
        query.push(")").build().execute(tx).await?;
    }
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

/// Previous secrets by the ids of their credentials, not checked yet. Unreadable rows are left out.
pub(super) async fn live_previous(
    tx: &mut Connection,
    ids: &[String],
) -> Result<BTreeMap<String, Sealed<VersionRow>>> {
    let mut query = QueryBuilder::<Database>::new(VersionRow::SELECT);
    query.push(" WHERE credential_id");
    push_in_list(&mut query, ids);
    let rows: Vec<Sealed<VersionRow>> = query.build_query_as().fetch_all(tx).await?;
    let named = |sealed: Sealed<VersionRow>| Some((sealed.unchecked().ok()?.0.credential_id.clone(), sealed));
    Ok(rows.into_iter().filter_map(named).collect())
}

/// References by [`reference_key`], not checked yet.
pub(super) async fn live_references(
    tx: &mut Connection,
    names: &[(String, String)],
) -> Result<BTreeMap<String, Sealed<ReferenceRow>>> {
    let mut query = QueryBuilder::<Database>::new("WITH asked AS (");
    push_pairs(&mut query, names, ("kind", "consumer"));
    query.push(") ").push(ReferenceRow::SELECT);
    query.push(" JOIN asked a ON a.kind = r.kind AND a.consumer = r.consumer");
    let rows: Vec<Sealed<ReferenceRow>> = query.build_query_as().fetch_all(tx).await?;
    let named = |sealed: Sealed<ReferenceRow>| {
        let row = &sealed.unchecked()?.0;
        Ok((reference_key(&row.kind, &row.consumer), sealed))
    };
    rows.into_iter().map(named).collect()
}

/// References that name one of `ids`, as their own or as a fallback.
pub(super) async fn naming(tx: &mut Connection, ids: &[String]) -> Result<Vec<Sealed<ReferenceRow>>> {
    let mut query = QueryBuilder::<Database>::new(ReferenceRow::SELECT);
    query.push(" WHERE (r.kind, r.consumer) IN (SELECT n.kind, n.consumer FROM credential_references n");
    query.push(" WHERE n.credential_id");
    push_in_list(&mut query, ids);
    query.push(" UNION ALL SELECT m.kind, m.consumer FROM credential_fallbacks m WHERE m.credential_id");
    push_in_list(&mut query, ids);
    query.push(")").push(FOR_CHANGE);
    Ok(query.build_query_as().fetch_all(tx).await?)
}

/// The subset of `ids` that are existing credentials.
pub(super) async fn existing(tx: &mut Connection, ids: &[String]) -> Result<BTreeSet<String>> {
    let mut query = QueryBuilder::<Database>::new("SELECT c.id FROM credentials c WHERE c.id");
    push_in_list(&mut query, ids);
    Ok(query.build_query_scalar().fetch_all(tx).await?.into_iter().collect())
}

pub(super) fn name(row: &ReferenceRow) -> (String, String) {
    (row.kind.clone(), row.consumer.clone())
}
