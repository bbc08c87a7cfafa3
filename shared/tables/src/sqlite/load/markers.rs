//! The database's own records of restores, so that the state is known after a crash.
//!
//! The marker is a row in our own table in the database. It is committed before the file for staged rows exists, and becomes
//! `applied` in the transaction that applies them.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::live::LiveTable;
use super::pair::{self, Pair};
use crate::load::Mode;
use crate::names::quoted;

/// The table of the markers. Exports skip it because of its name's prefix ([`crate::RESTORE_TABLES`]).
pub(super) const TABLE: &str = "_strongroom_restores";

/// A marker.
#[derive(Debug, Clone)]
pub(super) struct Marker {
    pub(super) id: String,
    pub(super) is_applied: bool,
    pub(super) mode: Mode,
    /// Greater for restores that were applied later.
    pub(super) order: i64,
    pub(super) tables: Vec<Marked>,
    /// Whether all of it could be parsed. A restore that is only staged has no tables yet.
    pub(super) is_readable: bool,
}

/// A table of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marked {
    /// Archive name.
    pub(super) name: String,
    /// Its name in the database.
    pub(super) live: String,
    /// Columns that the archive has, and (`extra`) those that it lacks.
    pub(super) columns: Vec<String>,
    pub(super) extra: Vec<String>,
    /// Columns of the key, each with its collation; empty for a table without a key.
    pub(super) key: Vec<(String, String)>,
    /// A name for the rowid, if there is one.
    pub(super) rowid: Option<String>,
    /// False for an outside table with rows that followed a foreign key.
    pub(super) is_restored: bool,
}

impl Marked {
    pub(super) fn of(pair: &Pair) -> Self {
        let key = pair.key.iter().flat_map(|key| &key.columns);
        let key =
            key.filter_map(|(at, collation)| Some((pair.columns.get(*at)?.name.clone(), collation.clone())));
        Self {
            name: pair.name.clone(),
            live: pair.live.clone(),
            columns: pair.names().map(str::to_owned).collect(),
            extra: pair.extra.clone(),
            key: key.collect(),
            rowid: pair.rowid.map(str::to_owned),
            is_restored: true,
        }
    }

    /// A table that only follows foreign keys: all of its columns.
    pub(super) fn of_live(live: &LiveTable) -> Self {
        let stored = live.schema.columns.iter().filter(|column| column.generated.is_none());
        let key = live.keys.iter().find(|key| key.is_complete);
        Self {
            name: live.schema.name.clone(),
            live: live.schema.table.clone(),
            columns: stored.map(|column| column.name.clone()).collect(),
            extra: Vec::new(),
            key: key.map(|key| key.columns.clone()).unwrap_or_default(),
            rowid: pair::rowid(live).map(str::to_owned),
            is_restored: false,
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name, "live": self.live, "columns": self.columns, "extra": self.extra, "key": self.key,
            "rowid": self.rowid, "restored": self.is_restored,
        })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let pair = |value: &Value| Some((text(value.get(0)?)?, text(value.get(1)?)?));
        Some(Self {
            name: text(&value["name"])?,
            live: text(&value["live"])?,
            columns: value["columns"].as_array()?.iter().map(text).collect::<Option<_>>()?,
            extra: value["extra"].as_array()?.iter().map(text).collect::<Option<_>>()?,
            key: value["key"].as_array()?.iter().map(pair).collect::<Option<_>>()?,
            // It is inserted into statements as it is, and anyone who can write to the database could have written it.
            rowid: match text(&value["rowid"]) {
                Some(name) if !pair::ROWIDS.contains(&name.as_str()) => return None,
                name => name,
            },
            is_restored: value["restored"].as_bool()?,
        })
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The deleted rows, in full, of a restore's table at `at`.
pub(super) fn undo_table(digits: &str, at: usize) -> String {
    format!("main.\"_strongroom_undo_{digits}_{at}\"")
}

/// Keys of the rows that a restore added to its table at `at`; whole rows for a table without a key.
pub(super) fn made_table(digits: &str, at: usize) -> String {
    format!("main.\"_strongroom_made_{digits}_{at}\"")
}

/// Rows whose references were dangling before a restore.
pub(super) fn dangling_table(digits: &str) -> String {
    format!("main.\"_strongroom_undo_{digits}_dangling\"")
}

/// All markers, newest first.
pub(super) async fn read(connection: &mut SqliteConnection) -> sqlx::Result<Vec<Marker>> {
    if !exists(connection).await? {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, String, String, Option<i64>, String)> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT id, state, mode, \"order\", tables FROM main.{TABLE} ORDER BY \"order\" DESC, id"
    )))
    .persistent(false)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(marker).collect())
}

fn marker((id, state, mode, order, tables): (String, String, String, Option<i64>, String)) -> Marker {
    let tables: Value = serde_json::from_str(&tables).unwrap_or_default();
    let tables: Option<Vec<Marked>> =
        tables.as_array().and_then(|tables| tables.iter().map(Marked::from_json).collect());
    let mode: Option<Mode> = serde_json::from_value(mode.into()).ok();
    Marker {
        id,
        is_applied: state == "applied",
        is_readable: mode.is_some() && tables.is_some(),
        mode: mode.unwrap_or(Mode::Replace),
        order: order.unwrap_or_default(),
        tables: tables.unwrap_or_default(),
    }
}

/// Records that rows are being staged, and returns when: this distinguishes one stage of a restore from a later one.
pub(super) async fn stage(connection: &mut SqliteConnection, id: &str, mode: Mode) -> sqlx::Result<String> {
    let create = format!(
        "CREATE TABLE IF NOT EXISTS main.{TABLE} (id TEXT PRIMARY KEY NOT NULL, state TEXT NOT NULL, mode TEXT NOT NULL, \
         time TEXT NOT NULL, \"order\" INTEGER, tables TEXT NOT NULL)"
    );
    sqlx::query(AssertSqlSafe(create)).persistent(false).execute(&mut *connection).await?;
    let insert = format!(
        "INSERT INTO main.{TABLE} VALUES (?1, 'staged', ?2, strftime('%Y-%m-%dT%H:%M:%fZ'), NULL, '[]') RETURNING time"
    );
    let mode = text(&json!(mode));
    let insert = sqlx::query_scalar(AssertSqlSafe(insert)).bind(id).bind(mode).persistent(false);
    insert.fetch_one(connection).await
}

/// Records that the restore was applied, and to which tables. `since`: when it was staged.
pub(super) async fn apply(
    connection: &mut SqliteConnection,
    id: &str,
    since: &str,
    tables: &[Marked],
) -> sqlx::Result<()> {
    let tables = Value::from(tables.iter().map(Marked::to_json).collect::<Vec<_>>()).to_string();
    let sql = format!(
        "UPDATE main.{TABLE} SET state = 'applied', time = strftime('%Y-%m-%dT%H:%M:%fZ'), tables = ?2,
         \"order\" = (SELECT ifnull(max(\"order\"), 0) + 1 FROM main.{TABLE})
         WHERE id = ?1 AND state = 'staged' AND time = ?3"
    );
    let update = sqlx::query(AssertSqlSafe(sql)).bind(id).bind(tables).bind(since).persistent(false);
    let done = update.execute(connection).await?;
    // Another process has discarded the restore meanwhile, and may have staged it again.
    if done.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

/// Removes everything that the database has of a restore, and with the last restore the table of markers.
pub(super) async fn remove(connection: &mut SqliteConnection, id: &str, digits: &str) -> sqlx::Result<()> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table'
           AND (name GLOB '_strongroom_undo_' || ?1 || '_*' OR name GLOB '_strongroom_made_' || ?1 || '_*')",
    )
    .bind(digits)
    .fetch_all(&mut *connection)
    .await?;
    for table in tables {
        run(connection, format!("DROP TABLE main.{}", quoted(&table))).await?;
    }
    if !exists(connection).await? {
        return Ok(());
    }
    sqlx::query(AssertSqlSafe(format!("DELETE FROM main.{TABLE} WHERE id = ?1")))
        .bind(id)
        .persistent(false)
        .execute(&mut *connection)
        .await?;
    if read(connection).await?.is_empty() {
        run(connection, format!("DROP TABLE main.{TABLE}")).await?;
    }
    Ok(())
}

async fn exists(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1)")
        .bind(TABLE)
        .fetch_one(connection)
        .await
}

/// Runs a statement once, without caching it.
pub(super) async fn run(connection: &mut SqliteConnection, sql: String) -> sqlx::Result<u64> {
    let done = sqlx::query(AssertSqlSafe(sql)).persistent(false).execute(connection).await?;
    Ok(done.rows_affected())
}
