//! Functions that run before a statement reads any row of a table: the planner expands the functions called by indexes,
//! checks and extended statistics, under the session's `search_path`. A function that names other objects without their
//! schema fails the statement, although the table is fine.
//!
//! Such a table is read under a path that contains, after `pg_catalog`, the table's schema and the schemas of the reading
//! role's usual path, but no schema in which everybody can create functions: an expanded function may also be run. Functions
//! called by our own expressions are schema-qualified.

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

/// Oids (as `relation`) of tables whose indexes, checks or statistics call user-defined functions. Dependencies on the
/// server's own functions are not recorded.
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

/// Types whose printed values depend on the search path, and their arrays. (Composite types of them together with such a
/// function have not been seen in practice.)
const PATH_TYPES: [Oid; 18] = [
    24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4191, 1008, 2207, 2208, 2209, 2210, 2211, 3735, 3770, 4192,
];

/// Finds the search path for each table that cannot be read under the usual one.
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

/// A statement that fails if a function of the table cannot find an object.
pub(crate) fn planned(from: &str) -> String {
    format!("EXPLAIN SELECT 1 FROM {from}")
}

/// Whether the error is that a name was not found.
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
