//! Which tables a PostgreSQL database has, which of them are wanted, and whether they may be read.

use sqlx::postgres::PgConnection;

use super::types::Oid;
use crate::error::{Error, Result};
use crate::names::quoted;
use crate::options::{Skipped, SnapshotOptions};

/// Something that holds rows, before its columns are known.
#[derive(Clone)]
pub(super) struct Relation {
    pub(super) oid: Oid,
    /// The archive name: bare in `public`, otherwise `schema.table`.
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) table: String,
    /// Set for a partitioned table.
    pub(super) partition_key: Option<String>,
}

impl Relation {
    /// Quoted, with its schema.
    pub(super) fn qualified(&self) -> String {
        format!("{}.{}", quoted(&self.namespace), quoted(&self.table))
    }

    /// What FROM and LOCK name: a partitioned table has its rows in its partitions, while a table that others
    /// inherit from is read by itself, as they are.
    pub(super) fn from(&self) -> String {
        match self.partition_key {
            Some(_) => self.qualified(),
            None => format!("ONLY {}", self.qualified()),
        }
    }
}

/// The selected relations and what was left out of the selection.
pub(super) struct Relations {
    pub(super) selected: Vec<Relation>,
    pub(super) skipped: Vec<Skipped>,
}

#[derive(sqlx_macros::FromRow)]
struct RelationRow {
    oid: Oid,
    namespace: String,
    table: String,
    kind: String,
    persistence: String,
    partition_key: Option<String>,
    extension: Option<String>,
    may_use: Option<bool>,
    may_select: Option<bool>,
    hidden_rows: bool,
    standby: bool,
    role: String,
}

/// Lists the selected tables in order of archive name and checks that they may be read.
pub(super) async fn list(connection: &mut PgConnection, options: &SnapshotOptions) -> Result<Relations> {
    let rows: Vec<RelationRow> = sqlx::query_as(
        "SELECT c.oid::int8 AS oid, n.nspname::text AS namespace, c.relname::text AS table,
                c.relkind::text AS kind, c.relpersistence::text AS persistence,
                CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
                (SELECT e.extname::text FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                 WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
                   AND d.refclassid = 'pg_extension'::regclass LIMIT 1) AS extension,
                has_schema_privilege(n.oid, 'USAGE') AS may_use,
                has_table_privilege(c.oid, 'SELECT') AS may_select,
                row_security_active(c.oid) AS hidden_rows,
                pg_is_in_recovery() AS standby,
                current_user::text AS role
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'f', 'm') AND NOT c.relispartition
           AND (n.nspname !~ '^pg_' OR c.relpersistence = 't') AND n.nspname <> 'information_schema'",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(|error| Error::database(&options.source, "listing the tables", error))?;
    check_schemas(connection, options).await?;

    let mut selected: Vec<Relation> = Vec::new();
    let mut skipped = Vec::new();
    for row in rows {
        let name = archive_name(&row.namespace, &row.table);
        let in_schemas = options.schemas.is_empty() || options.schemas.contains(&row.namespace);
        if !in_schemas || !options.selects(&name) {
            continue;
        }
        if let Some(reason) = skip_reason(&row) {
            skipped.push(Skipped { name, reason });
            continue;
        }
        check_rights(&row, &name, &options.source)?;
        let RelationRow { oid, namespace, table, partition_key, .. } = row;
        selected.push(Relation { oid, name, namespace, table, partition_key });
    }
    selected.sort_by(|a, b| a.name.cmp(&b.name));
    skipped.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = selected.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(Error::Ambiguous { name: options.source.clone(), table: pair[0].name.clone() });
    }
    Ok(Relations { selected, skipped })
}

async fn check_schemas(connection: &mut PgConnection, options: &SnapshotOptions) -> Result<()> {
    if options.schemas.is_empty() {
        return Ok(());
    }
    let known: Vec<String> = sqlx::query_scalar("SELECT nspname::text FROM pg_namespace")
        .fetch_all(connection)
        .await
        .map_err(|error| Error::database(&options.source, "listing the schemas", error))?;
    match options.schemas.iter().find(|schema| !known.contains(schema)) {
        Some(schema) => Err(Error::missing(&options.source, format!("schema {schema:?}"))),
        None => Ok(()),
    }
}

pub(super) fn archive_name(namespace: &str, table: &str) -> String {
    if namespace == "public" { table.to_owned() } else { format!("{namespace}.{table}") }
}

fn skip_reason(row: &RelationRow) -> Option<String> {
    if let Some(extension) = &row.extension {
        return Some(format!("belongs to the extension {extension}"));
    }
    let reason = match (row.kind.as_str(), row.persistence.as_str()) {
        (_, "t") => "temporary table of one session",
        ("f", _) => "foreign table: its rows live in another database",
        ("m", _) => "materialized view: derived from tables",
        (_, "u") if row.standby => "unlogged table: a standby does not have its rows",
        _ => return None,
    };
    Some(reason.to_owned())
}

/// Asked here and not left to LOCK, because the server's own message does not say which schema is meant.
fn check_rights(row: &RelationRow, name: &str, source: &str) -> Result<()> {
    let (schema, role) = (quoted(&row.namespace), quoted(&row.role));
    let table = format!("{schema}.{}", quoted(&row.table));
    let advice = if row.may_use == Some(false) {
        format!("GRANT USAGE ON SCHEMA {schema} TO {role}")
    } else if row.may_select == Some(false) {
        format!("GRANT SELECT ON {table} TO {role}")
    } else if row.hidden_rows {
        format!("row security would hide rows from it: ALTER ROLE {role} BYPASSRLS, or exclude the table")
    } else {
        return Ok(());
    };
    Err(Error::Denied { name: source.to_owned(), table: name.to_owned(), advice })
}
