//! Views and materialized views, as the statements that create them.

use std::collections::{HashMap, HashSet};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{TableName, View};

use super::attached;
use super::naming::archive_name;
use super::session::{LOCK_TIMEOUT, attempt};
use super::types::Oid;
use crate::RESTORE_SCHEMA;
use crate::fault::Fault;
use crate::options::{Skipped, SnapshotOptions};

#[derive(sqlx_macros::FromRow)]
struct ViewRow {
    oid: Oid,
    namespace: String,
    name: String,
    materialized: bool,
    options: Vec<String>,
    read_namespaces: Vec<String>,
    read_tables: Vec<String>,
}

/// Lists views in an order in which they can be created. Extensions' views come with their extension. Before printing a view,
/// the server waits for any session that refreshes or alters it. We do not wait, but report the view in `skipped`: no data is
/// lost, because the rows of views are not archived.
pub(super) async fn list(
    connection: &mut PgConnection,
    options: &SnapshotOptions,
    skipped: &mut Vec<Skipped>,
) -> sqlx::Result<Vec<View>> {
    let mut rows = rows(connection).await?;
    rows.retain(|row| options.schemas.is_empty() || options.schemas.contains(&row.namespace));
    let views = match attempt(connection, async |connection| views(connection, &rows).await).await? {
        Ok(views) => views,
        Err(_) => one_by_one(connection, &rows, skipped).await?,
    };
    Ok(in_order(views))
}

async fn one_by_one(
    connection: &mut PgConnection,
    rows: &[ViewRow],
    skipped: &mut Vec<Skipped>,
) -> sqlx::Result<Vec<View>> {
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let one = std::slice::from_ref(row);
        match attempt(connection, async |connection| views(connection, one).await).await? {
            Ok(views) => found.extend(views),
            Err(error) => {
                let reason = format!("view: its definition could not be read: {}", Fault::of(&error));
                skipped.push(Skipped { name: archive_name(&row.namespace, &row.name), reason });
            }
        }
    }
    Ok(found)
}

async fn views(connection: &mut PgConnection, rows: &[ViewRow]) -> sqlx::Result<Vec<View>> {
    let oids: Vec<Oid> = rows.iter().map(|row| row.oid).collect();
    if oids.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::raw_sql("SET LOCAL lock_timeout = '200ms'").execute(&mut *connection).await?;
    let mut definitions = definitions(connection, &oids).await?;
    let mut attached = attached::list(connection, &oids).await?;
    sqlx::raw_sql(LOCK_TIMEOUT).execute(connection).await?;
    let view = |row: &ViewRow| {
        let attached = attached.remove(&row.oid).unwrap_or_default();
        let reads = row.read_namespaces.iter().zip(&row.read_tables);
        let table_name = |(namespace, table): (&String, &String)| TableName {
            namespace: namespace.clone(),
            table: table.clone(),
        };
        Some(View {
            // A view that was just dropped has no definition.
            definition: definitions.remove(&row.oid)?,
            namespace: row.namespace.clone(),
            name: row.name.clone(),
            materialized: row.materialized,
            options: row.options.clone(),
            reads: reads.map(table_name).collect(),
            triggers: attached.triggers,
            rules: attached.rules,
            indexes: attached.indexes,
        })
    };
    Ok(rows.iter().filter_map(view).collect())
}

async fn definitions(connection: &mut PgConnection, oids: &[Oid]) -> sqlx::Result<HashMap<Oid, String>> {
    let rows: Vec<(Oid, Option<String>)> =
        sqlx::query_as("SELECT o, pg_get_viewdef(o::oid) FROM unnest($1::int8[]) AS u (o)")
            .bind(oids)
            .persistent(false)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().filter_map(|(oid, definition)| Some((oid, definition?))).collect())
}

async fn rows(connection: &mut PgConnection) -> sqlx::Result<Vec<ViewRow>> {
    let sql = format!(
        "SELECT c.oid::int8 AS oid, n.nspname::text AS namespace, c.relname::text AS name,
                c.relkind = 'm' AS materialized,
                coalesce(c.reloptions, '{{}}') AS options,
                coalesce(reads.namespaces, '{{}}') AS read_namespaces, coalesce(reads.tables, '{{}}') AS read_tables
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
         LATERAL (SELECT array_agg(u.namespace ORDER BY u.namespace, u.name) AS namespaces,
                         array_agg(u.name ORDER BY u.namespace, u.name) AS tables
                  FROM (SELECT DISTINCT m.nspname::text AS namespace, t.relname::text AS name
                        FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                        JOIN pg_class t ON d.refclassid = 'pg_class'::regclass AND t.oid = d.refobjid
                        JOIN pg_namespace m ON m.oid = t.relnamespace
                        WHERE r.ev_class = c.oid AND r.rulename = '_RETURN' AND t.oid <> c.oid
                          AND t.relkind IN ('r', 'p', 'v', 'm', 'f')) AS u) AS reads
         WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
           AND n.nspname NOT IN ('information_schema', '{RESTORE_SCHEMA}')
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                           AND d.objid = c.oid AND d.deptype = 'e')
         ORDER BY n.nspname, c.relname"
    );
    sqlx::query_as(AssertSqlSafe(sql)).persistent(false).fetch_all(connection).await
}

/// Orders views so that each comes after those that it reads. Otherwise the order is kept.
fn in_order(mut views: Vec<View>) -> Vec<View> {
    let name = |view: &View| TableName { namespace: view.namespace.clone(), table: view.name.clone() };
    let mut waiting: HashSet<TableName> = views.iter().map(name).collect();
    let mut ordered = Vec::with_capacity(views.len());
    while !views.is_empty() {
        let (ready, rest): (Vec<View>, Vec<View>) =
            views.into_iter().partition(|view| !view.reads.iter().any(|read| waiting.contains(read)));
        if ready.is_empty() {
            // Rules can make two views read each other.
            ordered.extend(rest);
            break;
        }
        for view in &ready {
            waiting.remove(&name(view));
        }
        ordered.extend(ready);
        views = rest;
    }
    ordered
}
