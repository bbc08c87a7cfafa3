//! The statements for one column, and the key types for which they can be written.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use strongroom_archive::schema::TableSchema;

use super::super::layout::Layout;
use super::super::relations::Relation;
use super::super::types::{FIRST_OF_INITDB, Oid};
use crate::error::{Error, Result};
use crate::names::quoted;
use crate::reencrypt::SealedColumn;

/// A column and its statements.
pub(super) struct Column {
    pub(super) table: String,
    pub(super) keys: usize,
    /// The types of the values that make up the additional data.
    pub(super) needed: Vec<Oid>,
    pub(super) first: String,
    pub(super) next: String,
    pub(super) replace: String,
}

/// A key column: its name and its type.
struct Key {
    name: String,
    type_name: String,
}

impl Column {
    pub(super) fn of(
        relation: &Relation,
        table: &TableSchema,
        layout: &Layout,
        column: &SealedColumn,
    ) -> Self {
        // A partitioned table's rows are in its partitions, whereas a table that others inherit from is treated separately.
        let only = if relation.partition_key.is_some() { "" } else { "ONLY " };
        let from = format!("{only}{} AS t", relation.qualified());
        let at = |name: &String| table.columns.iter().position(|other| other.name == *name);
        let positions = || column.needed.iter().filter_map(at);
        let needed: String = positions().map(|at| format!(", {}", layout.expressions[at])).collect();
        let keys: Vec<Key> = table
            .primary_key
            .iter()
            .filter_map(at)
            .map(|at| &table.columns[at])
            .map(|key| Key { name: format!("t.{}", quoted(&key.name)), type_name: key.type_name.clone() })
            .collect();
        let sealed = quoted(&column.column);
        Self {
            table: table.name.clone(),
            keys: keys.len(),
            needed: positions().map(|at| layout.base_types[at]).collect(),
            first: page(&from, &keys, &sealed, &needed, false),
            next: page(&from, &keys, &sealed, &needed, true),
            replace: replace(&from, &keys, &sealed),
        }
    }
}

/// Selects `$1` rows after the key in `$4` and following. Values that are longer than `$2` bytes or start with `$3` are not
/// read. `of_value` is 1 for a value to check, 2 for a value that is not sealed (3 if a census counts it), and 0 if there is
/// nothing to do.
fn page(from: &str, keys: &[Key], sealed: &str, needed: &str, is_next: bool) -> String {
    let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    let order = names.join(", ");
    let printed: Vec<String> = names.iter().map(|name| format!("{name}::pg_catalog.text")).collect();
    let printed = printed.join(", ");
    let text = format!("t.{sealed}::pg_catalog.text");
    let given = keys.iter().enumerate();
    let given: Vec<String> =
        given.map(|(at, key)| format!("${}::pg_catalog.text::{}", 4 + at, key.type_name)).collect();
    let behind = match is_next {
        true => format!("WHERE ({order}) OPERATOR(pg_catalog.>) ({})", given.join(", ")),
        false => String::new(),
    };
    format!(
        "SELECT {printed}, kind.of_value, CASE kind.of_value WHEN 1 THEN {text} END{needed}
         FROM {from} CROSS JOIN LATERAL (SELECT CASE
            WHEN {text} IS NULL THEN 0
            WHEN pg_catalog.octet_length({text}) OPERATOR(pg_catalog.=) 0 THEN 2
            WHEN pg_catalog.octet_length({text}) OPERATOR(pg_catalog.>) $2::pg_catalog.int4
                THEN CASE WHEN pg_catalog.starts_with({text}, 'srv1.') THEN 3 ELSE 2 END
            WHEN pg_catalog.starts_with({text}, $3::pg_catalog.text) THEN 0
            ELSE 1 END AS of_value) AS kind
         {behind} ORDER BY {order} LIMIT $1::pg_catalog.int8"
    )
}

/// `$1` are the old values, `$2` the new ones, `$3` and following the parts of the keys.
fn replace(from: &str, keys: &[Key], sealed: &str) -> String {
    let (mut lists, mut names) = (String::new(), String::new());
    for at in 0..keys.len() {
        lists.push_str(&format!(", pg_catalog.unnest(${}::pg_catalog.text[])", 3 + at));
        names.push_str(&format!(", k{at}"));
    }
    let is_row = |of: &str| {
        let parts = keys.iter().enumerate();
        let parts = parts.map(|(at, key)| {
            format!("{} OPERATOR(pg_catalog.=) {of}.k{at}::{} AND ", key.name, key.type_name)
        });
        let parts: String = parts.collect();
        format!("{parts}t.{sealed}::pg_catalog.text COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) {of}.old")
    };
    format!(
        "WITH given AS (
            SELECT * FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]){lists})
                AS given (old, new{names})),
         held AS MATERIALIZED (
            SELECT given.* FROM given JOIN {from} ON {} FOR NO KEY UPDATE OF t SKIP LOCKED)
         UPDATE {from} SET {sealed} = held.new FROM held WHERE {}",
        is_row("given"),
        is_row("held")
    )
}

/// Refuses key types of extensions. Operators are looked up among the server's own, where such a type has none, or one whose
/// order differs from the index's.
pub(super) async fn check_key(
    connection: &mut PgConnection,
    table: &TableSchema,
    layout: &Layout,
) -> Result<()> {
    let of_key = |name: &String| table.columns.iter().position(|column| column.name == *name);
    for at in table.primary_key.iter().filter_map(of_key) {
        let base = layout.base_types[at];
        if base < FIRST_OF_INITDB || is_enum(connection, table, base).await? {
            continue;
        }
        let column = &table.columns[at];
        let problem = format!(
            "it is in the primary key, and its type {} comes from an extension, so rows cannot be walked in its order",
            column.type_name
        );
        let (name, table, column) = (table.source.clone(), table.name.clone(), column.name.clone());
        return Err(Error::NotWritable { name, table, column, problem });
    }
    Ok(())
}

async fn is_enum(connection: &mut PgConnection, table: &TableSchema, base: Oid) -> Result<bool> {
    let sql = format!("SELECT typtype = 'e' FROM pg_type WHERE oid = {base}");
    let found: Option<bool> = sqlx::query_scalar(AssertSqlSafe(sql))
        .persistent(false)
        .fetch_optional(connection)
        .await
        .map_err(|error| Error::database(&table.source, "looking at the catalogue", &error))?;
    Ok(found.unwrap_or(false))
}
