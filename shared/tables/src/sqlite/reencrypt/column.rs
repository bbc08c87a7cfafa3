//! The statements for one column. Values and keys are bound as they were read, because a number would change when converted
//! to text and back.

use strongroom_archive::schema::TableSchema;

use crate::names::quoted;
use crate::reencrypt::{Change, KeyPart, RowKey, SealedColumn};

/// A column and the parts of its statements.
pub(super) struct Column {
    pub(super) table: String,
    pub(super) keys: usize,
    pub(super) needed: usize,
    /// The statement up to the condition.
    select: String,
    /// The key columns, separated by commas.
    order: String,
    /// The statement up to the new values, and (`matches`) the part after them.
    update: String,
    matches: String,
}

impl Column {
    pub(super) fn of(table: &TableSchema, column: &SealedColumn) -> Self {
        let keys: Vec<String> = table.primary_key.iter().map(|key| format!("t.{}", quoted(key))).collect();
        let (from, sealed) = (format!("main.{} AS t", quoted(&table.table)), quoted(&column.column));
        let needed: String = column.needed.iter().map(|name| format!(", t.{}", quoted(name))).collect();
        let order = keys.join(", ");
        // 1: a value to check; 2: not a sealed value (3 if a census counts it); 0: nothing to do.
        let select = format!(
            "SELECT {order}, CASE WHEN t.{sealed} IS NULL THEN 0
                WHEN typeof(t.{sealed}) <> 'text' OR length(CAST(t.{sealed} AS BLOB)) NOT BETWEEN 1 AND ?2
                    THEN iif(CAST(t.{sealed} AS TEXT) GLOB 'srv1.*', 3, 2)
                WHEN substr(t.{sealed}, 1, length(?3)) = ?3 THEN 0 ELSE 1 END,
                CASE WHEN typeof(t.{sealed}) = 'text' AND length(CAST(t.{sealed} AS BLOB)) BETWEEN 1 AND ?2 THEN t.{sealed} END{needed}
             FROM {from}"
        );
        let matches: Vec<String> =
            keys.iter().enumerate().map(|(at, key)| format!("{key} = given.column{}", at + 3)).collect();
        Self {
            table: table.name.clone(),
            keys: keys.len(),
            needed: column.needed.len(),
            select,
            update: format!("UPDATE {from} SET {sealed} = given.column2"),
            matches: format!(
                "{} AND typeof(t.{sealed}) = 'text' AND t.{sealed} COLLATE BINARY = given.column1",
                matches.join(" AND ")
            ),
            order,
        }
    }

    /// Number of parameters for one change.
    pub(super) fn each(&self) -> usize {
        2 + self.keys
    }

    pub(super) fn page(&self, after: Option<&RowKey>) -> String {
        let Self { select, order, .. } = self;
        let behind = after.map(|key| format!("WHERE ({order}) > ({})", places(key, 4)));
        format!("{select} {} ORDER BY {order} LIMIT ?1", behind.unwrap_or_default())
    }

    pub(super) fn replace(&self, changes: &[Change]) -> String {
        let rows = changes.iter().enumerate().map(|(row, change)| {
            let first = 1 + row * self.each();
            format!("(?{first}, ?{}, {})", first + 1, places(&change.key, first + 2))
        });
        let rows = rows.collect::<Vec<_>>().join(", ");
        format!("{} FROM (VALUES {rows}) AS given WHERE {}", self.update, self.matches)
    }
}

/// Parameters for a key, numbered from `first`.
fn places(key: &RowKey, first: usize) -> String {
    let place = |(at, part): (usize, &KeyPart)| match part {
        KeyPart::Bytes { is_text: true, .. } => format!("CAST(?{} AS TEXT)", first + at),
        _ => format!("?{}", first + at),
    };
    key.0.iter().enumerate().map(place).collect::<Vec<_>>().join(", ")
}
