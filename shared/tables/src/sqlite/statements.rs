//! The statements of indexes and triggers, which SQLite keeps as they were written.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::{Index, Trigger};

use crate::RESTORE_TABLES;

/// Those of a whole file, by table or view in lower case.
pub(super) struct Statements {
    indexes: HashMap<String, Vec<Index>>,
    triggers: HashMap<String, Vec<Trigger>>,
}

impl Statements {
    /// Indexes of constraints have no statement.
    pub(super) async fn load(connection: &mut SqliteConnection) -> sqlx::Result<Self> {
        let rows: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT type, name, tbl_name, sql FROM main.sqlite_schema
             WHERE type IN ('index', 'trigger') AND sql IS NOT NULL
               AND substr(name, 1, length(?1)) <> ?1 COLLATE NOCASE
             ORDER BY name",
        )
        .bind(RESTORE_TABLES)
        .fetch_all(connection)
        .await?;
        let mut statements = Self { indexes: HashMap::new(), triggers: HashMap::new() };
        for (kind, name, table, definition) in rows {
            let table = table.to_ascii_lowercase();
            if kind == "index" {
                statements.indexes.entry(table).or_default().push(Index { name, definition });
            } else {
                let trigger = Trigger { name, definition, state: None };
                statements.triggers.entry(table).or_default().push(trigger);
            }
        }
        Ok(statements)
    }

    pub(super) fn indexes_of(&mut self, table: &str) -> Vec<Index> {
        self.indexes.remove(&table.to_ascii_lowercase()).unwrap_or_default()
    }

    pub(super) fn triggers_of(&mut self, table: &str) -> Vec<Trigger> {
        self.triggers.remove(&table.to_ascii_lowercase()).unwrap_or_default()
    }
}
