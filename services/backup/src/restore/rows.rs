//! Chosen rows of a table, by their keys, for a restore of only some of an archive's rows.

use std::collections::BTreeSet;

use serde_json::value::RawValue;
use strongroom_archive::schema::TableSchema;

use crate::error::{Error, RestoreError, Result};

/// Maximum number of keys that an error names.
const MOST_NAMED: usize = 5;

/// A primary key: each column's value as a text.
pub(crate) type Key = Vec<String>;

/// Some rows of one table.
#[derive(Debug, Clone)]
pub(super) struct ChosenRows {
    table: String,
    /// Positions of the primary key's columns in a row.
    places: Vec<usize>,
    keys: BTreeSet<Key>,
    /// Keys not found yet.
    missing: BTreeSet<Key>,
}

impl ChosenRows {
    /// # Errors
    /// [`Error::Field`] for a table without a primary key, and for keys with another number of columns.
    pub(super) fn of(schema: &TableSchema, keys: &BTreeSet<Key>) -> Result<Self> {
        let table = schema.name.clone();
        let place = |name: &String| schema.columns.iter().position(|column| column.name == *name);
        let places: Option<Vec<usize>> = schema.primary_key.iter().map(place).collect();
        let places = places.filter(|places| !places.is_empty()).ok_or_else(|| {
            let problem =
                format!("{table:?} has no primary key in the archive, so its rows cannot be chosen");
            Error::field("rows", problem)
        })?;
        if let Some(key) = keys.iter().find(|key| key.len() != places.len()) {
            let columns = schema.primary_key.join(", ");
            let problem =
                format!("{} is not a primary key of {table:?}, which consists of: {columns}", shown(key));
            return Err(Error::field("rows", problem));
        }
        Ok(Self { table, places, keys: keys.clone(), missing: keys.clone() })
    }

    /// Number of chosen rows.
    pub(super) fn count(&self) -> u64 {
        self.keys.len() as u64
    }

    /// Whether a row, with values in the order of the archive's columns, is chosen.
    pub(super) fn has(&mut self, values: &[&RawValue]) -> bool {
        let parts = self.places.iter().map(|place| values.get(*place).filter(|value| value.get() != "null"));
        let key: Option<Key> = parts.map(|value| value.map(|value| text(value))).collect();
        let Some(key) = key.filter(|key| self.keys.contains(key)) else { return false };
        self.missing.remove(&key);
        true
    }

    /// Checks, after the last row, that all were found.
    ///
    /// # Errors
    /// [`RestoreError::RowsMissing`].
    pub(super) fn check(&self) -> Result<()> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let named: Vec<String> = self.missing.iter().take(MOST_NAMED).map(shown).collect();
        let more = self.missing.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let keys = format!("{}{more}", named.join(", "));
        Err(RestoreError::RowsMissing { table: self.table.clone(), keys }.into())
    }
}

/// For a text its characters, for any other value its JSON.
fn text(value: &RawValue) -> String {
    serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

fn shown(key: &Key) -> String {
    serde_json::json!(key).to_string()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn schema(primary_key: &[&str]) -> TableSchema {
        let column = |name: &str| serde_json::json!({"name": name, "type": "TEXT", "nullable": true});
        let columns = ["a", "b", "c"].map(column);
        let schema = serde_json::json!({
            "name": "t", "source": "s", "engine": "sqlite", "table": "t", "primary_key": primary_key,
            "columns": columns,
        });
        serde_json::from_value(schema).unwrap()
    }

    fn keys(of: &[&[&str]]) -> BTreeSet<Key> {
        of.iter().map(|key| key.iter().map(|part| (*part).to_owned()).collect()).collect()
    }

    fn row(text: &str) -> Vec<&RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_row_is_chosen_by_its_key_in_the_order_of_the_key() {
        let mut chosen = ChosenRows::of(&schema(&["c", "a"]), &keys(&[&["é", "7"], &["x", "8"]])).unwrap();
        assert_eq!(chosen.count(), 2);
        assert!(chosen.has(&row(r#"[7, null, "\u00e9"]"#)));
        assert!(!chosen.has(&row(r#"["é", null, 7]"#)));
        assert!(!chosen.has(&row(r#"[7]"#)));
        let missing = chosen.check().unwrap_err().to_string();
        assert!(missing.contains(r#"["x","8"]"#) && !missing.contains("é"), "{missing}");
        assert!(chosen.has(&row(r#"["8", 1, "x"]"#)));
        chosen.check().unwrap();
    }

    #[test]
    fn keys_that_are_none_of_the_table_are_refused() {
        let error = ChosenRows::of(&schema(&[]), &keys(&[&["1"]])).unwrap_err().to_string();
        assert!(error.contains("no primary key"), "{error}");
        let error = ChosenRows::of(&schema(&["a", "b"]), &keys(&[&["1"]])).unwrap_err().to_string();
        assert!(error.contains("a, b"), "{error}");
    }

    #[test]
    fn few_of_many_missing_rows_are_named() {
        let many: BTreeSet<Key> = (0..100).map(|id| vec![id.to_string()]).collect();
        let error = ChosenRows::of(&schema(&["a"]), &many).unwrap().check().unwrap_err().to_string();
        assert!(error.contains("and 95 more"), "{error}");
    }
}
