//! Texts of the form of a sealed value, `srv1.<16 hex digits>.…`, in columns that nobody declared as encrypted.
//!
//! Somebody may have typed them, or a column was forgotten in the configuration. Only a restore under another root key needs to
//! know; they are counted while rows are read anyway.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use strongroom_archive::EncryptedColumn;
use strongroom_archive::schema::TableSchema;

/// Columns that are counted: an archive decides how many it has.
const MOST_COLUMNS: usize = 1_000;
/// Digits of a key version's id.
const KID: usize = 16;

/// Counts by table and column.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct SealedTexts {
    declared: Vec<(String, String)>,
    counts: BTreeMap<(String, String), i64>,
}

impl SealedTexts {
    /// In all columns but `declared` ones.
    pub(super) fn beside(declared: &[EncryptedColumn]) -> Self {
        let names = declared.iter().map(|one| (one.table.clone(), one.column.clone()));
        Self { declared: names.collect(), counts: BTreeMap::new() }
    }

    /// Looks at a row, whose values are in the order of its columns.
    pub(super) fn add(&mut self, schema: &TableSchema, values: &[&RawValue]) {
        for (column, _) in schema.columns.iter().zip(values).filter(|(_, value)| is_sealed(value.get())) {
            let name = (schema.name.clone(), column.name.clone());
            if self.declared.contains(&name) {
                continue;
            }
            if self.counts.len() < MOST_COLUMNS || self.counts.contains_key(&name) {
                *self.counts.entry(name).or_default() += 1;
            }
        }
    }

    /// Table, column and how many.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&str, &str, i64)> {
        self.counts.iter().map(|((table, column), count)| (table.as_str(), column.as_str(), *count))
    }
}

fn is_sealed(json: &str) -> bool {
    let Some(rest) = json.strip_prefix("\"srv1.") else { return false };
    let bytes = rest.as_bytes();
    bytes.get(KID) == Some(&b'.') && bytes[..KID].iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_form_of_a_sealed_value_counts() {
        assert!(is_sealed("\"srv1.0123456789abcdef.AAAA\""));
        for other in [
            "\"srv1.0123456789abcde.AAAA\"",
            "\"srv1.0123456789abcdeg.AAAA\"",
            "\"srv1.0123456789abcdef\"",
            "\" srv1.0123456789abcdef.AAAA\"",
            "\"srv1.",
            "null",
            "7",
        ] {
            assert!(!is_sealed(other), "{other}");
        }
    }
}
