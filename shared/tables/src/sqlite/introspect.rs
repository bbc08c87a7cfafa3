//! Lists the tables of a SQLite file with its own pragmas.

use std::collections::HashSet;

use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::{
    Column, Constraint, ConstraintKind, Engine, ForeignKey, TableName, TableSchema,
};

use super::foreign::{self, VirtualTable};
use super::statements::Statements;
use crate::RESTORE_TABLES;
use crate::options::{Skipped, SnapshotOptions};

pub(super) struct Found {
    pub(super) engine: String,
    pub(super) tables: Vec<TableSchema>,
    pub(super) skipped: Vec<Skipped>,
    /// The names of all tables, selected or not.
    pub(super) known: HashSet<String>,
    /// Statements of views, and of tables that are not selected.
    pub(super) statements: Statements,
}

/// A table as listed by `table_list`.
struct Listed {
    name: String,
    kind: String,
    sql: Option<String>,
}

/// Reads names and definitions. In a transaction the first statement fixes the snapshot. `all_rows`: find generated columns
/// that fail in any row.
pub(super) async fn tables(
    connection: &mut SqliteConnection,
    options: &SnapshotOptions,
    all_rows: bool,
) -> sqlx::Result<Found> {
    let listed = list(connection).await?;
    let virtual_tables = virtual_tables(&listed);
    let known: HashSet<String> = listed.iter().map(|table| table.name.clone()).collect();
    let mut statements = Statements::load(connection).await?;
    let mut tables = Vec::new();
    let mut skipped = Vec::new();
    for Listed { name, kind, sql } in listed {
        if !options.selects(&name) {
            continue;
        }
        match skip_reason(&name, &kind, &virtual_tables, &known) {
            Some(reason) => skipped.push(Skipped { name, reason }),
            None => {
                let (mut table, columns) = table(connection, options, name, sql, all_rows).await?;
                table.indexes = statements.indexes_of(&table.name);
                table.triggers = statements.triggers_of(&table.name);
                tables.push(table);
                skipped.extend(columns);
            }
        }
    }
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(connection).await?;
    Ok(Found { engine: format!("SQLite {version}"), tables, skipped, known, statements })
}

async fn list(connection: &mut SqliteConnection) -> sqlx::Result<Vec<Listed>> {
    let rows: Vec<(String, String, Option<String>)> = sqlx::query_as(
        "SELECT l.name, l.type, s.sql
         FROM pragma_table_list AS l
         LEFT JOIN main.sqlite_schema AS s ON s.type = 'table' AND s.name = l.name
         WHERE l.schema = 'main' AND l.type IN ('table', 'virtual', 'shadow')
           AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
           AND substr(l.name, 1, length(?1)) <> ?1 COLLATE NOCASE
         ORDER BY l.name",
    )
    .bind(RESTORE_TABLES)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(name, kind, sql)| Listed { name, kind, sql }).collect())
}

fn virtual_tables(listed: &[Listed]) -> Vec<VirtualTable> {
    let virtual_tables = listed.iter().filter(|table| table.kind == "virtual");
    virtual_tables
        .map(|table| VirtualTable::parse(&table.name, table.sql.as_deref().unwrap_or_default()))
        .collect()
}

/// A virtual table keeps its rows in inner tables ("shadow" tables in SQLite's terms, which also include an ordinary table
/// with such a name). They are exported, unless their rows can be rebuilt from others.
fn skip_reason(
    name: &str,
    kind: &str,
    virtual_tables: &[VirtualTable],
    known: &HashSet<String>,
) -> Option<String> {
    if kind == "virtual" {
        let module = virtual_tables.iter().find(|table| table.name == name).map(|table| &*table.module);
        let module = module.unwrap_or_default();
        return Some(format!("virtual table of {module}: its content is in its inner tables"));
    }
    if kind != "shadow" {
        return None;
    }
    let (owner, inner) = virtual_tables.iter().find_map(|table| Some((table, table.inner(name)?)))?;
    let content = format!("{}_content", owner.name);
    let has_content = known.iter().any(|table| table.eq_ignore_ascii_case(&content));
    owner
        .derives(inner, has_content)
        .then(|| format!("index of the virtual table {}: derived from {content}", owner.name))
}

/// The schema entry, and the columns that are left out of it because they cannot be read.
async fn table(
    connection: &mut SqliteConnection,
    options: &SnapshotOptions,
    name: String,
    sql: Option<String>,
    all_rows: bool,
) -> sqlx::Result<(TableSchema, Vec<Skipped>)> {
    let (mut columns, primary_key) = columns(connection, &name).await?;
    let computed = columns.iter().filter(|column| column.generated.as_deref() == Some(VIRTUAL));
    let computed: Vec<String> = computed.map(|column| column.name.clone()).collect();
    let skipped = foreign::unreadable(connection, &name, &computed, all_rows).await?;
    let is_skipped = |column: &str| skipped.iter().any(|skipped| skipped.name == format!("{name}.{column}"));
    columns.retain(|column| !is_skipped(&column.name));
    let mut unique = unique(connection, &name).await?;
    unique.retain(|columns| !columns.iter().any(|column| is_skipped(column)));
    let foreign_keys = foreign_keys(connection, &name).await?;
    let constraints = unique.into_iter().map(unique_constraint).collect();
    let empty = TableSchema::empty(&options.source, Engine::Sqlite, &name);
    Ok((TableSchema { columns, primary_key, constraints, foreign_keys, sql, ..empty }, skipped))
}

fn unique_constraint(columns: Vec<String>) -> Constraint {
    Constraint {
        name: String::new(),
        kind: ConstraintKind::Unique,
        columns,
        nulls_not_distinct: false,
        definition: String::new(),
    }
}

/// A generated column that is computed on each read.
const VIRTUAL: &str = "virtual";

/// `hidden` in `table_xinfo`: 2 is a virtual, 3 a stored generated column.
async fn columns(connection: &mut SqliteConnection, table: &str) -> sqlx::Result<(Vec<Column>, Vec<String>)> {
    let rows: Vec<(String, String, bool, Option<String>, i64, i64)> = sqlx::query_as(
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let mut columns = Vec::with_capacity(rows.len());
    let mut key = Vec::new();
    for (name, type_name, not_null, default, position, hidden) in rows {
        if position > 0 {
            key.push((position, name.clone()));
        }
        // The pragma does not return the expression; the table's `sql` contains it.
        let generated = match hidden {
            2 => Some(VIRTUAL.to_owned()),
            3 => Some("stored".to_owned()),
            _ => None,
        };
        let is_virtual = hidden == 2;
        let nullable = !not_null;
        columns.push(Column {
            name,
            type_name,
            nullable,
            default,
            generated,
            is_virtual,
            ..Column::default()
        });
    }
    key.sort();
    Ok((columns, key.into_iter().map(|(_, name)| name).collect()))
}

async fn unique(connection: &mut SqliteConnection, table: &str) -> sqlx::Result<Vec<Vec<String>>> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT l.seq, i.name
         FROM pragma_index_list(?1, 'main') AS l, pragma_index_info(l.name, 'main') AS i
         WHERE l.origin = 'u'
         ORDER BY l.seq DESC, i.seqno",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let mut unique: Vec<Vec<String>> = Vec::new();
    let mut last = None;
    for (index, column) in rows {
        if last != Some(index) {
            unique.push(Vec::new());
            last = Some(index);
        }
        if let Some(columns) = unique.last_mut() {
            columns.push(column);
        }
    }
    Ok(unique)
}

async fn foreign_keys(connection: &mut SqliteConnection, table: &str) -> sqlx::Result<Vec<ForeignKey>> {
    let rows: Vec<(i64, String, String, Option<String>, String, String)> = sqlx::query_as(
        "SELECT id, \"table\", \"from\", \"to\", lower(on_delete), lower(on_update)
         FROM pragma_foreign_key_list(?1, 'main')
         ORDER BY id DESC, seq",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let mut keys: Vec<ForeignKey> = Vec::new();
    let mut last = None;
    for (id, references, from, to, on_delete, on_update) in rows {
        if last != Some(id) {
            keys.push(ForeignKey {
                columns: Vec::new(),
                name: String::new(),
                references: TableName { namespace: String::new(), table: references },
                referenced_columns: Vec::new(),
                on_delete,
                on_update,
                match_type: "simple".to_owned(),
                deferrable: false,
                initially_deferred: false,
                definition: String::new(),
            });
            last = Some(id);
        }
        if let Some(key) = keys.last_mut() {
            key.columns.push(from);
            key.referenced_columns.extend(to);
        }
    }
    Ok(keys)
}
