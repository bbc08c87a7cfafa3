//! SQL for the difference between staged and live rows.
//!
//! `1 IS NOT 1.0` is false, and a column's comparison can ignore case, so values are compared by storage class and bytes.
//! Only -0.0 and 0.0 cannot be distinguished in any way that SQLite offers.
//!
//! Rows with a key are compared with the row with the same key. Without a key, equal rows are counted on both sides, and the
//! surplus on either side is a difference. Below, `l` is the live table and `s` the staged one, whose columns are called
//! `c0`, `c1` and so on, without types.

use super::markers::Marked;
use super::stage_file::STAGE;
use crate::names::quoted;

/// The staged table of the pair at `at`, as named in statements.
pub(super) fn staged(at: usize) -> String {
    format!("{STAGE}.t{at}")
}

/// The live table, as named in statements.
pub(super) fn live(table: &Marked) -> String {
    format!("main.{}", quoted(&table.live))
}

/// Names joined by commas, each with the prefix `prefix`.
pub(super) fn list<'a>(prefix: &str, names: impl IntoIterator<Item = &'a String>) -> String {
    let names = names.into_iter().map(|name| format!("{prefix}{}", quoted(name)));
    names.collect::<Vec<_>>().join(", ")
}

/// `c0, c1, …`, each with the prefix `prefix`.
pub(super) fn numbered(prefix: &str, count: usize) -> String {
    (0..count).map(|at| format!("{prefix}{at}")).collect::<Vec<_>>().join(", ")
}

/// Indexes of the key's columns among the table's columns, with their collations.
pub(super) fn key(table: &Marked) -> Vec<(usize, &str)> {
    let place = |name: &String| table.columns.iter().position(|column| column == name);
    table.key.iter().filter_map(|(name, collation)| Some((place(name)?, collation.as_str()))).collect()
}

/// True if the live row and the staged row have the same key, by the key's own collation.
pub(super) fn same_key(table: &Marked, live: &str, staged: &str) -> String {
    let parts = key(table).into_iter().map(|(at, collation)| {
        format!("{live}.{} = {staged}.c{at} COLLATE {}", quoted(&table.columns[at]), quoted(collation))
    });
    parts.collect::<Vec<_>>().join(" AND ")
}

/// True for two rows that differ in any value.
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

/// Joins the parts by OR, as flat as possible: SQLite does not accept expressions nested deeper than 1,000.
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

/// For a table with a key: the numbers of live rows that are absent from the stage, differ from it, and are equal to it.
pub(super) fn counts(table: &Marked, at: usize) -> String {
    let (live, staged) = (live(table), staged(at));
    let (same, differs) = (same_key(table, "l", "s"), differs(table, "l", "s"));
    let absent = absent(table);
    // The LIMIT keeps the inner query separate: a counting query allows fewer columns.
    format!(
        "SELECT count(*) FILTER (WHERE state = 0), count(*) FILTER (WHERE state = 1), count(*)
         FROM (SELECT CASE WHEN {absent} THEN 0 WHEN {differs} THEN 1 ELSE 2 END AS state
               FROM {live} AS l LEFT JOIN {staged} AS s ON {same} LIMIT -1)"
    )
}

/// True if the join has found no staged row.
fn absent(table: &Marked) -> String {
    match key(table).first() {
        Some((at, _)) => format!("(s.c{at} IS NULL)"),
        None => "false".to_owned(),
    }
}

/// Live rows of a table with a key that must be deleted: `FROM … WHERE …`, with the table as `l`.
pub(super) fn removed(table: &Marked, at: usize) -> String {
    let (same, differs) = (same_key(table, "l", "s"), differs(table, "l", "s"));
    let (live, staged, absent) = (live(table), staged(at), absent(table));
    format!("FROM {live} AS l LEFT JOIN {staged} AS s ON {same} WHERE {absent} OR {differs}")
}

/// Staged rows whose key is not in the live table, or of which the live table has fewer copies: `FROM … WHERE …`, with the
/// stage as `s`.
pub(super) fn added(table: &Marked, at: usize) -> String {
    let staged = staged(at);
    if table.key.is_empty() {
        let surplus = surplus(table, at, Side::Staged);
        return format!("FROM {staged} AS s WHERE s.rowid IN ({surplus})");
    }
    let (live, same) = (live(table), same_key(table, "l", "s"));
    format!("FROM {staged} AS s WHERE NOT EXISTS (SELECT 1 FROM {live} AS l WHERE {same})")
}

/// One of the two tables.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Live,
    Staged,
}

/// Rowids of the surplus rows on one side. Among equal rows, those of the other side come first, so that one pass over the
/// sorted rows counts both.
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

/// The expressions in which equal rows agree.
fn alike(columns: usize) -> String {
    let values = (0..columns).map(|at| format!("c{at} COLLATE BINARY")).collect::<Vec<_>>().join(", ");
    format!("{values}, {}", classes(columns))
}

/// The storage classes of all columns, as one text.
pub(super) fn classes(columns: usize) -> String {
    joined(&(0..columns).map(|at| format!("typeof(c{at})")).collect::<Vec<_>>())
}

/// The parts joined to one text, separated by commas.
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

/// A name for the rowid of a table without a key; a table without such a name is refused.
pub(super) fn rowid(table: &Marked) -> &str {
    table.rowid.as_deref().unwrap_or("rowid")
}
