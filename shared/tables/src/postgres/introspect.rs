//! What tables a PostgreSQL database has, from its catalogues. The statements work from version 12 on.
//!
//! `search_path` is `pg_catalog` alone, so the server prints every name that is not its own with its schema.

use std::collections::HashMap;

use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{Column, Engine, ForeignKey, TableSchema};

use super::types::{Oid, Types};
use crate::error::{Error, Result};
use crate::snapshot::{Skipped, SnapshotOptions, quoted};

/// Something that holds rows, before its columns are known.
#[derive(Clone)]
pub(super) struct Relation {
    pub(super) oid: Oid,
    /// The archive name: bare in `public`, otherwise `schema.table`.
    pub(super) name: String,
    namespace: String,
    table: String,
    partition_key: Option<String>,
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

/// What reading needs beside the schema entry.
pub(super) struct Layout {
    /// See [`Relation::from`].
    pub(super) from: String,
    /// Each column's type, with domains resolved.
    pub(super) base_types: Vec<Oid>,
}

pub(super) struct Found {
    pub(super) tables: Vec<TableSchema>,
    pub(super) layouts: Vec<Layout>,
}

#[derive(sqlx::FromRow)]
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
pub(super) async fn relations(connection: &mut PgConnection, options: &SnapshotOptions) -> Result<Relations> {
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

fn archive_name(namespace: &str, table: &str) -> String {
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

/// Reads columns, keys and types of `relations`. The order is kept.
pub(super) async fn tables(
    connection: &mut PgConnection,
    options: &SnapshotOptions,
    relations: Vec<Relation>,
) -> Result<Found> {
    let failed = |error| Error::database(&options.source, "reading the table definitions", error);
    let oids: Vec<Oid> = relations.iter().map(|relation| relation.oid).collect();
    let mut columns = columns(connection, &oids).await.map_err(failed)?;
    let mut keys = keys(connection, &oids).await.map_err(failed)?;
    let types = Types::load(connection).await.map_err(failed)?;
    let mut found = Found { tables: Vec::new(), layouts: Vec::new() };
    for relation in relations {
        let columns = columns.remove(&relation.oid).unwrap_or_default();
        let keys = keys.remove(&relation.oid).unwrap_or_default();
        let used: Vec<Oid> = columns.iter().map(|(_, oid)| *oid).collect();
        found.layouts.push(Layout {
            from: relation.from(),
            base_types: used.iter().map(|oid| types.base_of(*oid)).collect(),
        });
        found.tables.push(TableSchema {
            name: relation.name,
            source: options.source.clone(),
            engine: Engine::Postgres,
            namespace: relation.namespace,
            table: relation.table,
            columns: columns.into_iter().map(|(column, _)| column).collect(),
            primary_key: keys.primary,
            unique: keys.unique,
            foreign_keys: keys.foreign,
            types: types.used_by(&used),
            sql: None,
            partition_key: relation.partition_key,
        });
    }
    options.check_only(&found.tables)?;
    Ok(found)
}

#[derive(sqlx::FromRow)]
struct ColumnRow {
    relation: Oid,
    name: String,
    type_oid: Oid,
    type_name: String,
    not_null: bool,
    identity: String,
    generated: String,
    expression: Option<String>,
}

async fn columns(
    connection: &mut PgConnection,
    relations: &[Oid],
) -> sqlx::Result<HashMap<Oid, Vec<(Column, Oid)>>> {
    let rows: Vec<ColumnRow> = sqlx::query_as(
        "SELECT a.attrelid::int8 AS relation, a.attname::text AS name, a.atttypid::int8 AS type_oid,
                format_type(a.atttypid, a.atttypmod) AS type_name, a.attnotnull AS not_null,
                a.attidentity::text AS identity, a.attgenerated::text AS generated,
                pg_get_expr(d.adbin, d.adrelid) AS expression
         FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = ANY ($1::int8[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
         ORDER BY a.attrelid, a.attnum",
    )
    .bind(relations)
    .fetch_all(connection)
    .await?;
    let mut columns: HashMap<Oid, Vec<(Column, Oid)>> = HashMap::new();
    for row in rows {
        let (default, generated) =
            if row.generated.is_empty() { (row.expression, None) } else { (None, row.expression) };
        let identity = match row.identity.as_str() {
            "a" => Some("always".to_owned()),
            "d" => Some("by default".to_owned()),
            _ => None,
        };
        let column = Column {
            name: row.name,
            type_name: row.type_name,
            nullable: !row.not_null,
            default,
            generated,
            identity,
        };
        columns.entry(row.relation).or_default().push((column, row.type_oid));
    }
    Ok(columns)
}

#[derive(Default)]
struct Keys {
    primary: Vec<String>,
    unique: Vec<Vec<String>>,
    foreign: Vec<ForeignKey>,
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    relation: Oid,
    kind: String,
    columns: Vec<String>,
    other_namespace: Option<String>,
    other_table: Option<String>,
    other_columns: Vec<String>,
    on_delete: String,
}

/// `conparentid` is set on the copies that partitions make of a constraint.
async fn keys(connection: &mut PgConnection, relations: &[Oid]) -> sqlx::Result<HashMap<Oid, Keys>> {
    let rows: Vec<KeyRow> = sqlx::query_as(
        "SELECT k.conrelid::int8 AS relation, k.contype::text AS kind,
                ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (number, place)
                      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number
                      ORDER BY u.place) AS columns,
                n.nspname::text AS other_namespace, r.relname::text AS other_table,
                ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (number, place)
                      JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number
                      ORDER BY u.place) AS other_columns,
                k.confdeltype::text AS on_delete
         FROM pg_constraint k
         LEFT JOIN pg_class r ON r.oid = k.confrelid
         LEFT JOIN pg_namespace n ON n.oid = r.relnamespace
         WHERE k.conrelid = ANY ($1::int8[]::oid[]) AND k.contype IN ('p', 'u', 'f') AND k.conparentid = 0
         ORDER BY k.conrelid, k.conname",
    )
    .bind(relations)
    .fetch_all(connection)
    .await?;
    let mut keys: HashMap<Oid, Keys> = HashMap::new();
    for row in rows {
        let keys = keys.entry(row.relation).or_default();
        match (row.kind.as_str(), row.other_namespace, row.other_table) {
            ("p", ..) => keys.primary = row.columns,
            ("u", ..) => keys.unique.push(row.columns),
            (_, Some(namespace), Some(table)) => keys.foreign.push(ForeignKey {
                columns: row.columns,
                references: archive_name(&namespace, &table),
                referenced_columns: row.other_columns,
                on_delete: on_delete(&row.on_delete).to_owned(),
            }),
            _ => {}
        }
    }
    Ok(keys)
}

fn on_delete(code: &str) -> &'static str {
    match code {
        "c" => "cascade",
        "n" => "set null",
        "d" => "set default",
        "r" => "restrict",
        _ => "no action",
    }
}
