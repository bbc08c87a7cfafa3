//! The statements of indexes, triggers and views, which SQLite keeps as they were written.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::{Index, Trigger, View};

use crate::RESTORE_TABLES;

/// The statements of a whole file.
pub(super) struct Statements {
    /// By table or view in lower case; each list is ordered by name.
    indexes: HashMap<String, Vec<Index>>,
    triggers: HashMap<String, Vec<Trigger>>,
    /// In creation order.
    views: Vec<(String, String)>,
}

impl Statements {
    /// Indexes of constraints have no statement.
    pub(super) async fn load(connection: &mut SqliteConnection) -> sqlx::Result<Self> {
        let rows: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT type, name, tbl_name, sql FROM main.sqlite_schema
             WHERE type IN ('index', 'trigger', 'view') AND sql IS NOT NULL
               AND substr(name, 1, length(?1)) <> ?1 COLLATE NOCASE
             ORDER BY CASE type WHEN 'view' THEN rowid END, name",
        )
        .bind(RESTORE_TABLES)
        .fetch_all(connection)
        .await?;
        let mut statements = Self { indexes: HashMap::new(), triggers: HashMap::new(), views: Vec::new() };
        for (kind, name, table, definition) in rows {
            let table = table.to_ascii_lowercase();
            match kind.as_str() {
                "index" => statements.indexes.entry(table).or_default().push(Index { name, definition }),
                "view" => statements.views.push((name, definition)),
                _ => {
                    let trigger = Trigger { name, definition, state: None };
                    statements.triggers.entry(table).or_default().push(trigger);
                }
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

    /// All views. A view that no longer works is kept as it is.
    pub(super) fn into_views(mut self) -> Vec<View> {
        let views = std::mem::take(&mut self.views);
        let view = |(name, definition): (String, String)| View {
            triggers: self.triggers_of(&name),
            namespace: String::new(),
            name,
            materialized: false,
            definition,
            options: Vec::new(),
            reads: Vec::new(),
            rules: Vec::new(),
            indexes: Vec::new(),
        };
        views.into_iter().map(view).collect()
    }
}
