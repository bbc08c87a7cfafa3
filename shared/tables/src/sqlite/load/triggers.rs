//! Triggers, which must not fire during a restore: SQLite has no switch for them, but they can be dropped and recreated in
//! one transaction, and nobody else notices.

use sqlx::sqlite::SqliteConnection;

use super::create::check_live;
use super::markers::run;
use crate::names::quoted;

/// Triggers that were dropped.
pub(super) struct Dropped(Vec<String>);

/// Drops the tables' triggers, and keeps their statements in creation order.
pub(super) async fn drop_all(connection: &mut SqliteConnection, tables: &[&str]) -> sqlx::Result<Dropped> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT name, tbl_name, sql FROM main.sqlite_schema WHERE type = 'trigger' ORDER BY rowid",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut statements = Vec::new();
    for (name, table, sql) in rows {
        if tables.iter().any(|other| other.eq_ignore_ascii_case(&table)) {
            check_live("trigger", &name, &sql)?;
            run(connection, format!("DROP TRIGGER main.{}", quoted(&name))).await?;
            statements.push(sql);
        }
    }
    Ok(Dropped(statements))
}

impl Dropped {
    /// Recreates the triggers.
    pub(super) async fn put_back(self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        for sql in self.0 {
            run(connection, sql).await?;
        }
        Ok(())
    }
}
