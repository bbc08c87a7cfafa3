//! Texts of the form of a sealed value, `srv1.<16 hex digits>.…`, in columns that nobody declared as encrypted.
//!
//! Somebody may have typed them, or a column was forgotten in the configuration. Only a restore under another root key needs to
//! know; they are counted while rows are read anyway.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use strongroom_archive::EncryptedColumn;
use strongroom_archive::schema::TableSchema;

/// Columns that are counted: an archive decides how many it has.
const MOST_COLUMNS: usize = 1_000;
/// Key versions of one column: texts that name more are made up.
const MOST_KIDS: usize = 1_000;
/// Digits of a key version's id.
const KID: usize = 16;

/// Counts by table and column.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct SealedTexts {
    declared: Vec<(String, String)>,
    counts: BTreeMap<(String, String), Texts>,
}

/// Those of one column.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Texts {
    count: i64,
    /// Key versions that they name, as far as they are not too many.
    kids: BTreeSet<String>,
}

impl SealedTexts {
    /// In all columns but `declared` ones.
    pub(super) fn beside(declared: &[EncryptedColumn]) -> Self {
        let names = declared.iter().map(|one| (one.table.clone(), one.column.clone()));
        Self { declared: names.collect(), counts: BTreeMap::new() }
    }

    /// Looks at a row, whose values are in the order of its columns.
    pub(super) fn add(&mut self, schema: &TableSchema, values: &[&RawValue]) {
        let sealed = schema.columns.iter().zip(values);
        for (column, kid) in sealed.filter_map(|(column, value)| Some((column, sealed_by(value.get())?))) {
            let name = (schema.name.clone(), column.name.clone());
            if self.declared.contains(&name) {
                continue;
            }
            if self.counts.len() < MOST_COLUMNS || self.counts.contains_key(&name) {
                let texts = self.counts.entry(name).or_default();
                texts.count += 1;
                if texts.kids.len() < MOST_KIDS {
                    texts.kids.insert(kid.to_ascii_lowercase());
                }
            }
        }
    }

    /// Table, column and how many.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&str, &str, i64)> {
        self.counts.iter().map(|((table, column), texts)| (table.as_str(), column.as_str(), texts.count))
    }

    /// Table and column of texts that one of `kids` has sealed.
    pub(crate) fn sealed_by(&self, kids: &BTreeSet<String>) -> impl Iterator<Item = (&str, &str)> {
        let is_one = |texts: &&Texts| texts.kids.len() >= MOST_KIDS || !texts.kids.is_disjoint(kids);
        let found = self.counts.iter().filter(move |(_, texts)| is_one(texts));
        found.map(|((table, column), _)| (table.as_str(), column.as_str()))
    }
}

/// The key version that a text of that form names.
fn sealed_by(json: &str) -> Option<&str> {
    let rest = json.strip_prefix("\"srv1.")?;
    let kid = rest.get(..KID)?;
    let is_one =
        rest.as_bytes().get(KID) == Some(&b'.') && kid.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_one.then_some(kid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_form_of_a_sealed_value_counts() {
        assert_eq!(sealed_by("\"srv1.0123456789abcdef.AAAA\""), Some("0123456789abcdef"));
        for other in [
            "\"srv1.0123456789abcde.AAAA\"",
            "\"srv1.0123456789abcdeg.AAAA\"",
            "\"srv1.0123456789abcdef\"",
            "\" srv1.0123456789abcdef.AAAA\"",
            "\"srv1.",
            "null",
            "7",
        ] {
            assert_eq!(sealed_by(other), None, "{other}");
        }
    }
}
