//! The rows that a commit replaced, kept until it can no longer be rolled back.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx_macros::FromRow;
use strongroom_store::{Error, Result};

use crate::store::granting::{Columns, Granting, Seal};

/// The `restore_undo` table.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct UndoRow {
    pub stage_id: String,
    pub table_name: String,
    /// The row's key, in the form of `restore_rows.row_key`.
    pub row_key: String,
    /// The row before, with its MAC, as JSON; `None` if the restore created the row.
    pub content: Option<String>,
    /// The change id that the restore gave the row; `None` if it removed the row.
    pub change_id: Option<String>,
}

impl UndoRow {
    /// The row before the restore.
    pub(crate) fn before<R: DeserializeOwned>(&self) -> Result<Option<R>> {
        let read = |text: &String| serde_json::from_str(text).map_err(|_| self.tampered());
        self.content.as_ref().map(read).transpose()
    }

    /// The undo row was changed outside the vault.
    pub(crate) fn tampered(&self) -> Error {
        Error::Tampered { table: Self::TABLE, row: self.name() }
    }
}

/// The previous states of one page of rows (the rows that a commit changes together), by table and key, until all of
/// them are written at once.
#[derive(Default)]
pub(crate) struct Page(BTreeMap<(&'static str, String), UndoRow>);

impl Page {
    /// If a row is touched twice, the state before the first time is kept.
    pub(crate) fn add(
        &mut self,
        (stage_id, table, key): (&str, &'static str, &str),
        content: Option<String>,
        change_id: Option<String>,
    ) {
        let row = self.0.entry((table, key.to_owned())).or_insert_with(|| UndoRow {
            stage_id: stage_id.to_owned(),
            table_name: table.to_owned(),
            row_key: key.to_owned(),
            content,
            change_id: None,
        });
        row.change_id = change_id;
    }

    /// All rows, by table.
    pub(crate) fn take(&mut self) -> BTreeMap<&'static str, Vec<UndoRow>> {
        let mut tables: BTreeMap<&'static str, Vec<UndoRow>> = BTreeMap::new();
        for ((table, _), row) in std::mem::take(&mut self.0) {
            tables.entry(table).or_default().push(row);
        }
        tables
    }
}

/// The previous row as JSON.
pub(crate) fn content<R: Serialize>(before: &R) -> Result<String> {
    // JSON can represent every type that is used here.
    serde_json::to_string(before).map_err(|_| Error::Inconsistent {
        subject: "rows to undo",
        expected: 1,
        affected: 0,
    })
}

impl Granting for UndoRow {
    const TABLE: &'static str = "restore_undo";
    const SELECT: &'static str = super::UNDO_ONE;
    const LIST: u8 = 1;

    fn name(&self) -> String {
        format!("{} {}", self.table_name, self.row_key)
    }

    fn put(&self, columns: &mut Columns) {
        columns.text(&self.stage_id);
        columns.text(&self.table_name);
        columns.text(&self.row_key);
        columns.optional_text(self.content.as_deref());
        columns.optional_text(self.change_id.as_deref());
    }
}

/// An undo row as stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct StoredUndo {
    #[sqlx(flatten)]
    pub row: UndoRow,
    #[sqlx(flatten)]
    pub code: UndoCode,
}

/// Its MAC. Unlike other MACs, it has no change id: `UndoRow::change_id` is a covered column.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct UndoCode {
    pub row_kid: String,
    pub row_mac: Vec<u8>,
}

impl UndoCode {
    pub(crate) fn seal(self) -> Seal {
        Seal { row_kid: self.row_kid, row_mac: self.row_mac, change_id: String::new() }
    }
}
