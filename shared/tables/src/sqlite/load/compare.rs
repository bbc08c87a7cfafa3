//! The changes that applying a stage would make, as counts and examples.

use serde_json::Value;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::difference::{self, Side};
use super::markers::Marked;
use crate::load::{Change, Example, MOST_EXAMPLES, Mode, TableChanges};
use crate::names::quoted;

/// Maximum length of an example's key, in bytes.
const KEY_BYTES: usize = 200;

/// Number of rows that change. `staged`: number of rows that were loaded.
pub(super) async fn counts(
    connection: &mut SqliteConnection,
    table: &Marked,
    at: usize,
    staged: u64,
    mode: Mode,
) -> sqlx::Result<TableChanges> {
    if table.key.is_empty() {
        return keyless(connection, table, at, staged).await;
    }
    let sql = difference::counts(table, at);
    let (absent, differing, all): (i64, i64, i64) =
        sqlx::query_as(AssertSqlSafe(sql)).persistent(false).fetch_one(connection).await?;
    let (absent, differing, all) = (absent.unsigned_abs(), differing.unsigned_abs(), all.unsigned_abs());
    let created = staged.saturating_sub(all - absent);
    Ok(match mode {
        Mode::Merge => {
            TableChanges { created, conflicts: differing, kept: all - differing, ..TableChanges::default() }
        }
        _ => TableChanges {
            created,
            changed: differing,
            deleted: absent,
            kept: all - absent - differing,
            ..TableChanges::default()
        },
    })
}

async fn keyless(
    connection: &mut SqliteConnection,
    table: &Marked,
    at: usize,
    staged: u64,
) -> sqlx::Result<TableChanges> {
    let surplus = difference::surplus(table, at, Side::Live);
    let deleted = count(connection, format!("SELECT count(*) FROM ({surplus})")).await?;
    let all = count(connection, format!("SELECT count(*) FROM {}", difference::live(table))).await?;
    let kept = all - deleted;
    Ok(TableChanges { created: staged.saturating_sub(kept), deleted, kept, ..TableChanges::default() })
}

/// Some of the rows that change.
pub(super) async fn examples(
    connection: &mut SqliteConnection,
    table: &Marked,
    at: usize,
    changes: &TableChanges,
) -> sqlx::Result<Vec<Example>> {
    let mut examples = Vec::new();
    if table.key.is_empty() {
        for (change, count) in [(Change::Created, changes.created), (Change::Deleted, changes.deleted)] {
            let room = MOST_EXAMPLES - examples.len();
            let count = usize::try_from(count).unwrap_or(usize::MAX).min(room);
            examples.extend((0..count).map(|_| Example { change, key: String::new() }));
        }
        return Ok(examples);
    }
    let (live, staged) = (difference::live(table), difference::staged(at));
    let (same, differs) = (difference::same_key(table, "l", "s"), difference::differs(table, "l", "s"));
    let both = format!("FROM {live} AS l JOIN {staged} AS s ON {same} WHERE {differs}");
    let gone = format!("FROM {live} AS l WHERE NOT EXISTS (SELECT 1 FROM {staged} AS s WHERE {same})");
    let kinds = [
        (Change::Created, changes.created, difference::added(table, at), "s"),
        (Change::Changed, changes.changed, both.clone(), "s"),
        (Change::Deleted, changes.deleted, gone, "l"),
        (Change::Conflict, changes.conflicts, both, "s"),
    ];
    for (change, count, from, side) in kinds {
        if count > 0 && examples.len() < MOST_EXAMPLES {
            let room = MOST_EXAMPLES - examples.len();
            let keys = keys(connection, table, &from, side, room).await?;
            examples.extend(keys.into_iter().map(|key| Example { change, key }));
        }
    }
    Ok(examples)
}

/// Keys of rows, as JSON arrays of strings.
async fn keys(
    connection: &mut SqliteConnection,
    table: &Marked,
    from: &str,
    side: &str,
    room: usize,
) -> sqlx::Result<Vec<String>> {
    let columns = difference::key(table);
    let selected = columns.iter().map(|(at, _)| {
        let value = match side {
            "l" => format!("l.{}", quoted(&table.columns[*at])),
            _ => format!("s.c{at}"),
        };
        format!("substr(CAST({value} AS TEXT), 1, {KEY_BYTES})")
    });
    let selected = selected.collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT {selected} {from} LIMIT {room}");
    let rows = sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch_all(connection).await?;
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        let mut texts = Vec::with_capacity(columns.len());
        for at in 0..columns.len() {
            // A text can be invalid UTF-8.
            let bytes: Option<Vec<u8>> = row.try_get_unchecked(at)?;
            texts.push(bytes.map_or(Value::Null, |bytes| String::from_utf8_lossy(&bytes).into()));
        }
        keys.push(cut(Value::from(texts).to_string()));
    }
    Ok(keys)
}

fn cut(mut text: String) -> String {
    let mut end = KEY_BYTES.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// The result of a counting statement.
pub(super) async fn count(connection: &mut SqliteConnection, sql: String) -> sqlx::Result<u64> {
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false).fetch_one(connection).await?;
    Ok(count.unsigned_abs())
}
