//! Keys that identify the rows of a table.
//!
//! An index compares by its own collation, which can differ from its column's. Two rows with an equal key in the index are
//! one row to a restore, however their texts are written: otherwise the second could not be inserted.

use sqlx::sqlite::SqliteConnection;
use strongroom_archive::schema::TableSchema;

/// Columns that are unique together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// In key order, each with the collation that the index uses.
    pub(super) columns: Vec<(String, String)>,
    /// The column is the table's rowid.
    pub(super) is_rowid: bool,
    /// Never NULL: only such a key identifies rows.
    pub(super) is_complete: bool,
}

/// An index as described by `index_list` and `index_xinfo`.
pub(super) struct IndexParts {
    origin: String,
    is_unique: bool,
    is_partial: bool,
    /// Columns of its key with their collations; `None` is an expression.
    columns: Vec<(Option<String>, String)>,
}

pub(super) async fn indexes(connection: &mut SqliteConnection, table: &str) -> sqlx::Result<Vec<IndexParts>> {
    let rows: Vec<(i64, String, bool, bool, Option<String>, String)> = sqlx::query_as(
        "SELECT l.seq, l.origin, l.\"unique\", l.partial, i.name, i.coll
         FROM pragma_index_list(?1, 'main') AS l, pragma_index_xinfo(l.name, 'main') AS i
         WHERE i.key
         ORDER BY l.origin = 'pk' DESC, l.seq DESC, i.seqno",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let mut indexes: Vec<IndexParts> = Vec::new();
    let mut last = None;
    for (index, origin, is_unique, is_partial, column, collation) in rows {
        if last != Some(index) {
            indexes.push(IndexParts { origin, is_unique, is_partial, columns: Vec::new() });
            last = Some(index);
        }
        if let Some(parts) = indexes.last_mut() {
            parts.columns.push((column, collation));
        }
    }
    Ok(indexes)
}

/// The keys of a table, the primary key first.
pub(super) fn keys(table: &TableSchema, indexes: &[IndexParts], without_rowid: bool) -> Vec<Key> {
    let mut keys = Vec::new();
    let has_index = indexes.iter().any(|index| index.origin == "pk");
    if let ([only], false, false) = (table.primary_key.as_slice(), without_rowid, has_index) {
        keys.push(Key {
            columns: vec![(only.clone(), "BINARY".to_owned())],
            is_rowid: true,
            is_complete: true,
        });
    }
    let usable = indexes.iter().filter(|index| index.is_unique && !index.is_partial);
    for index in usable {
        let is_primary = without_rowid && index.origin == "pk";
        let never_null = |name: &String| {
            is_primary || table.columns.iter().any(|column| column.name == *name && !column.nullable)
        };
        let named = index.columns.iter().map(|(name, collation)| Some((name.clone()?, collation.clone())));
        let Some(columns) = named.collect::<Option<Vec<_>>>() else { continue };
        let is_complete = columns.iter().all(|(name, _)| never_null(name));
        keys.push(Key { columns, is_rowid: false, is_complete });
    }
    keys
}

/// A collation that is not built in. We define it as byte order, which is good enough for reading, but writing to an index in
/// that order would corrupt it.
pub(super) fn unknown_collation(indexes: &[IndexParts]) -> Option<String> {
    const KNOWN: [&str; 3] = ["BINARY", "NOCASE", "RTRIM"];
    let mut collations = indexes.iter().flat_map(|index| &index.columns).map(|(_, collation)| collation);
    let unknown =
        collations.find(|collation| !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(collation)));
    unknown.cloned()
}
