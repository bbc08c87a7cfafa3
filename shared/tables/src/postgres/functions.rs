//! Functions that a statement meets before it reads a row of a table: the planner takes those apart that indexes, checks and
//! extended statistics call, under the session's `search_path`. One that names others without their schema fails the statement,
//! although the table is fine.
//!
//! Such a table is read under a path that has, behind `pg_catalog`, its own schema and those of the reading role's usual path, but
//! none in which everybody may create functions: what is taken apart may also be run. Functions that our own expressions call are
//! named with their schema.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use strongroom_archive::schema::TableSchema;

use super::codes;
use super::layout::Layout;
use super::relations::Relation;
use super::session::attempt;
use super::types::Oid;
use crate::fault::sqlstate;
use crate::names::quoted;

/// Tables whose indexes, checks or statistics call functions that somebody has made, by their oids as `relation`. The server's own
/// functions are in no list of dependencies.
pub(crate) const CALLING: &str = "
    SELECT DISTINCT relation::int8 FROM (
        SELECT i.indrelid AS relation FROM pg_depend d
        JOIN pg_index i ON d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid
        WHERE d.refclassid = 'pg_proc'::regclass
        UNION ALL
        SELECT c.conrelid FROM pg_depend d
        JOIN pg_constraint c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid
        WHERE d.refclassid = 'pg_proc'::regclass
        UNION ALL
        SELECT s.stxrelid FROM pg_depend d
        JOIN pg_statistic_ext s ON d.classid = 'pg_statistic_ext'::regclass AND s.oid = d.objid
        WHERE d.refclassid = 'pg_proc'::regclass) AS calling
    WHERE relation <> 0";

/// Types whose values are printed as the path says, and their arrays. (Nobody has been seen to have composite types of them beside
/// such a function.)
const PATH_TYPES: [Oid; 18] = [
    24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4191, 1008, 2207, 2208, 2209, 2210, 2211, 3735, 3770, 4192,
];

/// Finds the path of each table that cannot be read under the usual one.
pub(super) async fn find_paths(
    connection: &mut PgConnection,
    relations: &[Relation],
    tables: &[TableSchema],
    layouts: &mut [Layout],
) -> sqlx::Result<()> {
    let calling: Vec<Oid> = sqlx::query_scalar(CALLING).persistent(false).fetch_all(&mut *connection).await?;
    for ((relation, table), layout) in relations.iter().zip(tables).zip(layouts) {
        let is_printed_alike = !layout.base_types.iter().any(|base| PATH_TYPES.contains(base));
        if !relation.oids().any(|oid| calling.contains(&oid)) || !is_printed_alike {
            continue;
        }
        let sql = planned(&format!("{} AS t", layout.from));
        let planned = attempt(connection, async |connection| {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await
        });
        if planned.await?.is_err_and(|error| is_unnamed(sqlstate(&error).unwrap_or_default())) {
            layout.path = Some(wide(connection, &table.namespace).await?);
        }
    }
    Ok(())
}

/// A statement that fails where a function of a table finds nothing.
pub(crate) fn planned(from: &str) -> String {
    format!("EXPLAIN SELECT 1 FROM {from}")
}

/// Whether something was not found under the name that it was given.
pub(crate) fn is_unnamed(code: &str) -> bool {
    [codes::UNDEFINED_FUNCTION, codes::UNDEFINED_TABLE, codes::UNDEFINED_OBJECT, codes::INVALID_SCHEMA_NAME]
        .contains(&code)
}

async fn wide(connection: &mut PgConnection, namespace: &str) -> sqlx::Result<String> {
    sqlx::raw_sql("SET LOCAL search_path TO DEFAULT").execute(&mut *connection).await?;
    let usual = "SELECT pg_catalog.current_schemas(false)::text[]";
    let usual: Vec<String> = sqlx::query_scalar(usual).persistent(false).fetch_one(&mut *connection).await?;
    sqlx::raw_sql("SET LOCAL search_path = pg_catalog").execute(&mut *connection).await?;
    let wanted: Vec<String> = std::iter::once(namespace.to_owned()).chain(usual).collect();
    let trusted: Vec<String> = sqlx::query_scalar(
        "SELECT n.nspname::text FROM unnest($1) WITH ORDINALITY AS wanted (name, place)
         JOIN pg_namespace n ON n.nspname = wanted.name
         WHERE NOT has_schema_privilege('public', n.oid, 'CREATE') ORDER BY place",
    )
    .bind(wanted)
    .persistent(false)
    .fetch_all(connection)
    .await?;
    let names = std::iter::once("pg_catalog".to_owned()).chain(trusted.iter().map(|name| quoted(name)));
    Ok(names.collect::<Vec<_>>().join(", "))
}
