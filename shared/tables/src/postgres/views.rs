//! Views and materialized views, by the statements that create them.

use std::collections::HashSet;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{TableName, View};

use super::attached;
use super::types::Oid;
use crate::RESTORE_SCHEMA;
use crate::options::SnapshotOptions;

#[derive(sqlx_macros::FromRow)]
struct ViewRow {
    oid: Oid,
    namespace: String,
    name: String,
    materialized: bool,
    definition: String,
    options: Vec<String>,
    read_namespaces: Vec<String>,
    read_tables: Vec<String>,
}

/// In an order in which they can be created. Those of extensions come with their extension.
pub(super) async fn list(
    connection: &mut PgConnection,
    options: &SnapshotOptions,
) -> sqlx::Result<Vec<View>> {
    let mut rows = rows(connection).await?;
    rows.retain(|row| options.schemas.is_empty() || options.schemas.contains(&row.namespace));
    let oids: Vec<Oid> = rows.iter().map(|row| row.oid).collect();
    let mut attached = match oids.is_empty() {
        true => Default::default(),
        false => attached::list(connection, &oids, |_, _| false).await?,
    };
    let views = rows.into_iter().map(|row| {
        let attached = attached.remove(&row.oid).unwrap_or_default();
        let reads = row.read_namespaces.into_iter().zip(row.read_tables);
        View {
            namespace: row.namespace,
            name: row.name,
            materialized: row.materialized,
            definition: row.definition,
            options: row.options,
            reads: reads.map(|(namespace, table)| TableName { namespace, table }).collect(),
            triggers: attached.triggers,
            rules: attached.rules,
            indexes: attached.indexes,
        }
    });
    Ok(in_order(views.collect()))
}

async fn rows(connection: &mut PgConnection) -> sqlx::Result<Vec<ViewRow>> {
    let sql = format!(
        "SELECT c.oid::int8 AS oid, n.nspname::text AS namespace, c.relname::text AS name,
                c.relkind = 'm' AS materialized, pg_get_viewdef(c.oid) AS definition,
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

/// Each view behind those that it reads. The order is kept otherwise.
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
