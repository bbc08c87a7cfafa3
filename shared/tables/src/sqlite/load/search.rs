//! Full-text tables, whose index is rebuilt from the text after rows were replaced.

use sqlx::sqlite::SqliteConnection;

use super::super::foreign::VirtualTable;
use super::live::Live;
use super::markers::{Marked, run};
use crate::names::quoted;

/// Role of a table for a virtual table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Inner {
    /// None: an ordinary table.
    No,
    /// The text of a full-text table.
    Content,
    /// The options of a full-text table; never empty.
    Options,
    /// The index of a full-text table whose text is in an ordinary table.
    Index,
    /// Its rows are only meaningful to this module.
    Other(String),
}

/// The file's virtual tables.
pub(super) async fn virtual_tables(connection: &mut SqliteConnection) -> sqlx::Result<Vec<VirtualTable>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, sql FROM main.sqlite_schema
         WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%' ORDER BY name",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(name, sql)| VirtualTable::parse(&name, &sql)).collect())
}

impl Inner {
    /// `known`: whether the file has a table of this name.
    pub(super) fn of(table: &str, virtual_tables: &[VirtualTable], known: impl Fn(&str) -> bool) -> Self {
        let found = virtual_tables.iter().find_map(|owner| Some((owner, owner.inner(table)?)));
        let Some((owner, inner)) = found else { return Self::No };
        let is = |name: &str| inner.eq_ignore_ascii_case(name);
        match &owner.content {
            _ if !owner.is_full_text() => Self::Other(owner.module.clone()),
            Some(content) if content.is_empty() => Self::Other(format!("{} without its text", owner.module)),
            _ if is("config") => Self::Options,
            Some(content) if known(content) => Self::Index,
            None if is("content") => Self::Content,
            _ => Self::Other(owner.module.clone()),
        }
    }
}

/// Rebuilds the indexes of full-text tables whose text was restored.
pub(super) async fn rebuild(
    connection: &mut SqliteConnection,
    live: &Live,
    restored: &[Marked],
) -> sqlx::Result<()> {
    let is_restored = |name: &str| restored.iter().any(|table| table.live.eq_ignore_ascii_case(name));
    let is_index = |table: &Marked| live.table(&table.live).is_some_and(|live| live.inner == Inner::Index);
    for owner in live.virtual_tables.iter().filter(|owner| owner.is_full_text()) {
        let text = match owner.content.as_deref() {
            Some("") => continue,
            Some(content) => content.to_owned(),
            None => format!("{}_content", owner.name),
        };
        let has_index = restored.iter().any(|table| is_index(table) && owner.inner(&table.live).is_some());
        if has_index || is_restored(&text) {
            let name = quoted(&owner.name);
            run(connection, format!("INSERT INTO main.{name} ({name}) VALUES ('rebuild')")).await?;
        }
    }
    Ok(())
}
