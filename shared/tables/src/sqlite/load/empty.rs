//! Loads into empty tables: rows are inserted directly, in one transaction that the swap commits, and indexes are created
//! afterwards.
//!
//! Meanwhile nobody else can write to the database. Readers in WAL mode continue to see the empty tables.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::markers::{Marked, run};
use super::pair::Pair;
use super::refused::constraint;
use super::triggers::{self, Dropped};
use super::{SqliteStage, create, dangling, markers, refused, search, sequences};
use crate::error::{Error, Result};
use crate::load::{Swapped, TableChanges, Wanted, WantedTable};
use crate::names::quoted;

/// Objects to recreate after all rows are loaded.
pub(super) struct Later {
    /// Statements for the indexes of existing tables, and for the indexes and triggers of created tables, each with the
    /// table's archive name.
    statements: Vec<(String, String)>,
    triggers: Dropped,
}

/// Creates missing tables, and drops indexes and triggers.
pub(super) async fn prepare(
    connection: &mut SqliteConnection,
    wanted: &Wanted,
    creates: &[String],
) -> sqlx::Result<Later> {
    let missing: Vec<&WantedTable> =
        wanted.tables.iter().filter(|table| creates.contains(&table.schema.name)).collect();
    create::tables(connection, &missing).await?;
    let mut statements = create::later(&missing);
    let names: Vec<&str> = wanted.tables.iter().map(|table| table.schema.table.as_str()).collect();
    let archived = |name: &str| {
        let mut tables = wanted.tables.iter().map(|table| &table.schema);
        tables.find(|table| table.table.eq_ignore_ascii_case(name)).map(|table| table.name.clone())
    };
    let triggers = triggers::drop_all(connection, &names).await?;
    let indexes: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT name, tbl_name, sql FROM main.sqlite_schema
         WHERE type = 'index' AND sql IS NOT NULL ORDER BY rowid",
    )
    .fetch_all(&mut *connection)
    .await?;
    for (name, table, sql) in indexes {
        if let Some(table) = archived(&table) {
            create::check_live("index", &name, &sql)?;
            run(connection, format!("DROP INDEX main.{}", quoted(&name))).await?;
            statements.push((table, sql));
        }
    }
    Ok(Later { statements, triggers })
}

/// Deletes the contents of tables that are never empty.
pub(super) async fn clear(connection: &mut SqliteConnection, pairs: &[Pair]) -> sqlx::Result<()> {
    for pair in pairs.iter().filter(|pair| pair.is_never_empty) {
        run(connection, format!("DELETE FROM main.{}", quoted(&pair.live))).await?;
    }
    Ok(())
}

/// Creates indexes, triggers and views, and writes the marker. The caller commits.
pub(super) async fn finish(stage: &mut SqliteStage, later: Later) -> Result<Swapped> {
    let source = stage.options.read.source.clone();
    let failed = |error| Error::database(&source, "finishing a restore", &error);
    let connection = &mut stage.connection;
    for (table, sql) in later.statements {
        let done = run(connection, sql).await;
        done.map_err(|error| constraint(&source, &table, &error))?;
    }
    later.triggers.put_back(connection).await.map_err(failed)?;
    if stage.wanted.create_tables {
        create::views(connection, &stage.wanted).await.map_err(failed)?;
        header(connection, &stage.wanted).await.map_err(failed)?;
    }
    let live = super::live::read(connection, &stage.options.read).await.map_err(failed)?;
    let tables: Vec<Marked> = stage.pairs.iter().map(Marked::of).collect();
    let refusals = dangling::of_loaded(connection, &live, &stage.digits, &tables).await.map_err(failed)?;
    refused::unless_none(&source, refusals)?;
    search::rebuild(connection, &live, &tables).await.map_err(failed)?;
    sequences::raise(connection, &live, &stage.wanted, &stage.pairs).await.map_err(failed)?;
    let since = stage.marked.as_deref().unwrap_or_default();
    markers::apply(connection, &stage.restore, since, &tables).await.map_err(failed)?;
    let created = |rows: &u64| TableChanges { created: *rows, ..TableChanges::default() };
    Ok(Swapped { tables: stage.loaded.iter().map(created).collect(), ..Swapped::default() })
}

/// Sets the application's numbers in the file's header if they are not set yet.
async fn header(connection: &mut SqliteConnection, wanted: &Wanted) -> sqlx::Result<()> {
    let numbers =
        [("user_version", wanted.record.user_version), ("application_id", wanted.record.application_id)];
    for (pragma, number) in numbers {
        let read = AssertSqlSafe(format!("PRAGMA main.{pragma}"));
        let now: i64 = sqlx::query_scalar(read).fetch_one(&mut *connection).await?;
        if let (0, Some(number)) = (now, number) {
            run(connection, format!("PRAGMA main.{pragma} = {number}")).await?;
        }
    }
    Ok(())
}
