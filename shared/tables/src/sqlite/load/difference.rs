//! How staged rows differ from live ones, as SQL.
//!
//! `1 IS NOT 1.0` is false, and a column may compare without regard to case, so that values are compared by their storage
//! class and their bytes. Only -0.0 and 0.0 are the same to SQLite in every way that it offers.
//!
//! Rows with a key are compared with the row of the same key. Without one, equal rows are counted on both sides, and what
//! one side has more often is a difference. In both tables below, `l` is the live table and `s` the staged one, whose
//! columns are called `c0`, `c1` and so on, without types.

use super::markers::Marked;
use super::stage_file::STAGE;
use crate::names::quoted;

/// The staged table of the pair at `at`, with its name in statements.
pub(super) fn staged(at: usize) -> String {
    format!("{STAGE}.t{at}")
}

/// The live table, with its name in statements.
pub(super) fn live(table: &Marked) -> String {
    format!("main.{}", quoted(&table.live))
}

/// Names joined by commas: `prefix` is put before each.
pub(super) fn list<'a>(prefix: &str, names: impl IntoIterator<Item = &'a String>) -> String {
    let names = names.into_iter().map(|name| format!("{prefix}{}", quoted(name)));
    names.collect::<Vec<_>>().join(", ")
}

/// `c0, c1, …` with `prefix` before each.
pub(super) fn numbered(prefix: &str, count: usize) -> String {
    (0..count).map(|at| format!("{prefix}{at}")).collect::<Vec<_>>().join(", ")
}

/// Places of the key's columns among the table's columns, with their collations.
pub(super) fn key(table: &Marked) -> Vec<(usize, &str)> {
    let place = |name: &String| table.columns.iter().position(|column| column == name);
    table.key.iter().filter_map(|(name, collation)| Some((place(name)?, collation.as_str()))).collect()
}

/// True for the live row and the staged one with the same key, by the key's own collation.
pub(super) fn same_key(table: &Marked, live: &str, staged: &str) -> String {
    let parts = key(table).into_iter().map(|(at, collation)| {
        format!("{live}.{} = {staged}.c{at} COLLATE {}", quoted(&table.columns[at]), quoted(collation))
    });
    parts.collect::<Vec<_>>().join(" AND ")
}

/// True for two rows of which some value differs.
pub(super) fn differs(table: &Marked, live: &str, staged: &str) -> String {
    let parts: Vec<String> = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let (one, other) = (format!("{live}.{}", quoted(name)), format!("{staged}.c{at}"));
            format!("typeof({one}) IS NOT typeof({other}) OR {one} IS NOT {other} COLLATE BINARY")
        })
        .collect();
    any(&parts)
}

/// The parts joined by OR, as flat as can be: SQLite takes no expression that is nested deeper than 1,000.
fn any(parts: &[String]) -> String {
    match parts {
        [] => "false".to_owned(),
        [only] => format!("({only})"),
        _ => {
            let (one, other) = parts.split_at(parts.len() / 2);
            format!("({} OR {})", any(one), any(other))
        }
    }
}

/// Of a table with a key: how many live rows the stage does not have, has with other values, and has alike.
pub(super) fn counts(table: &Marked, at: usize) -> String {
    let (live, staged) = (live(table), staged(at));
    let (same, differs) = (same_key(table, "l", "s"), differs(table, "l", "s"));
    let absent = absent(table);
    // With a limit the inner query stays one: SQLite does not take as many columns in a query that counts.
    format!(
        "SELECT count(*) FILTER (WHERE state = 0), count(*) FILTER (WHERE state = 1), count(*)
         FROM (SELECT CASE WHEN {absent} THEN 0 WHEN {differs} THEN 1 ELSE 2 END AS state
               FROM {live} AS l LEFT JOIN {staged} AS s ON {same} LIMIT -1)"
    )
}

/// True where the join has found no staged row.
fn absent(table: &Marked) -> String {
    match key(table).first() {
        Some((at, _)) => format!("(s.c{at} IS NULL)"),
        None => "false".to_owned(),
    }
}

/// Live rows of a table with a key that have to go: `FROM … WHERE …`, with the table as `l`.
pub(super) fn removed(table: &Marked, at: usize) -> String {
    let (same, differs) = (same_key(table, "l", "s"), differs(table, "l", "s"));
    let (live, staged, absent) = (live(table), staged(at), absent(table));
    format!("FROM {live} AS l LEFT JOIN {staged} AS s ON {same} WHERE {absent} OR {differs}")
}

/// Staged rows whose key no live row has, or which the live table has less often: `FROM … WHERE …`, with them as `s`.
pub(super) fn added(table: &Marked, at: usize) -> String {
    let staged = staged(at);
    if table.key.is_empty() {
        let surplus = surplus(table, at, Side::Staged);
        return format!("FROM {staged} AS s WHERE s.rowid IN ({surplus})");
    }
    let (live, same) = (live(table), same_key(table, "l", "s"));
    format!("FROM {staged} AS s WHERE NOT EXISTS (SELECT 1 FROM {live} AS l WHERE {same})")
}

/// One of both tables.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Live,
    Staged,
}

/// Rowids of the rows that one side has more often than the other. Among rows that are alike, those of the other side come
/// first, so that one pass over sorted rows counts both.
pub(super) fn surplus(table: &Marked, at: usize, side: Side) -> String {
    let columns = numbered("c", table.columns.len());
    let named = table.columns.iter().enumerate();
    let named = named.map(|(at, name)| format!("l.{} AS c{at}", quoted(name))).collect::<Vec<_>>().join(", ");
    let alike = alike(table.columns.len());
    let (live, staged, rowid) = (live(table), staged(at), rowid(table));
    let (own, order) = match side {
        Side::Live => (0, "DESC"),
        Side::Staged => (1, "ASC"),
    };
    format!(
        "SELECT r FROM (
             SELECT side, r, row_number() OVER alike AS place,
                 count(*) FILTER (WHERE side <> {own}) OVER alike AS others
             FROM (SELECT 0 AS side, l.{rowid} AS r, {named} FROM {live} AS l
                   UNION ALL SELECT 1, rowid, {columns} FROM {staged})
             WINDOW alike AS (PARTITION BY {alike} ORDER BY side {order}))
         WHERE side = {own} AND place > 2 * others"
    )
}

/// What rows have in common that are alike.
fn alike(columns: usize) -> String {
    let values = (0..columns).map(|at| format!("c{at} COLLATE BINARY")).collect::<Vec<_>>().join(", ");
    format!("{values}, {}", classes(columns))
}

/// The storage classes of all columns, as one text.
pub(super) fn classes(columns: usize) -> String {
    joined(&(0..columns).map(|at| format!("typeof(c{at})")).collect::<Vec<_>>())
}

/// The parts as one text with commas between them.
pub(super) fn joined(parts: &[String]) -> String {
    match parts {
        [] => "''".to_owned(),
        [only] => only.clone(),
        _ => {
            let (one, other) = parts.split_at(parts.len() / 2);
            format!("({} || ',' || {})", joined(one), joined(other))
        }
    }
}

/// A name for the rowid of a table without a key, which is refused without one.
pub(super) fn rowid(table: &Marked) -> &str {
    table.rowid.as_deref().unwrap_or("rowid")
}
