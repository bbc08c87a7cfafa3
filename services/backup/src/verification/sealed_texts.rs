//! Texts with the form of a sealed value, `srv1.<16 hex digits>.…`, in columns that are not declared as encrypted.
//!
//! Somebody may have typed them, or a column may be missing in the configuration. Only a restore under another root key
//! needs this information; the texts are counted because the rows are read anyway.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use strongroom_archive::EncryptedColumn;
use strongroom_archive::schema::TableSchema;

/// Maximum number of counted columns: an archive decides how many it has.
const MOST_COLUMNS: usize = 1_000;
/// Maximum number of key versions of one column: a column whose texts name more was made up.
const MOST_KIDS: usize = 1_000;
/// Maximum number of key versions of all columns: an archive decides how many such texts it has.
const MOST_KIDS_IN_ALL: usize = 20_000;
/// Number of digits of a key version's id.
const KID: usize = 16;

/// Counts by table and column.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct SealedTexts {
    declared: Vec<(String, String)>,
    counts: BTreeMap<(String, String), Texts>,
    /// Number of key versions of all columns together.
    kids: usize,
}

/// The texts of one column.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Texts {
    count: i64,
    /// Key versions that they name.
    kids: BTreeSet<u64>,
    /// Whether they name more than were counted.
    has_more_kids: bool,
}

impl SealedTexts {
    /// Counts in all columns except the `declared` ones.
    pub(super) fn beside(declared: &[EncryptedColumn]) -> Self {
        let names = declared.iter().map(|one| (one.table.clone(), one.column.clone()));
        Self { declared: names.collect(), ..Self::default() }
    }

    /// Counts the texts of a row, whose values are in the order of its columns.
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
                if texts.kids.contains(&kid) {
                    continue;
                }
                if texts.kids.len() < MOST_KIDS && self.kids < MOST_KIDS_IN_ALL {
                    self.kids += 1;
                    texts.kids.insert(kid);
                } else {
                    texts.has_more_kids = true;
                }
            }
        }
    }

    /// Table, column and number of texts.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&str, &str, i64)> {
        self.counts.iter().map(|((table, column), texts)| (table.as_str(), column.as_str(), texts.count))
    }

    /// Table and column of texts sealed by one of `kids`.
    pub(crate) fn sealed_by(&self, kids: &BTreeSet<String>) -> impl Iterator<Item = (&str, &str)> {
        let kids: BTreeSet<u64> = kids.iter().filter_map(|kid| number(kid)).collect();
        let is_one = move |texts: &Texts| texts.has_more_kids || !texts.kids.is_disjoint(&kids);
        let found = self.counts.iter().filter(move |(_, texts)| is_one(texts));
        found.map(|((table, column), _)| (table.as_str(), column.as_str()))
    }
}

/// The key version named by a text of that form.
fn sealed_by(json: &str) -> Option<u64> {
    let rest = json.strip_prefix("\"srv1.")?;
    let kid = rest.get(..KID).filter(|_| rest.as_bytes().get(KID) == Some(&b'.'))?;
    number(kid)
}

/// A key version's id as a number.
fn number(kid: &str) -> Option<u64> {
    let is_one = kid.len() == KID && kid.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_one.then(|| u64::from_str_radix(kid, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_form_of_a_sealed_value_counts() {
        assert_eq!(sealed_by("\"srv1.0123456789abcdef.AAAA\""), Some(0x0123_4567_89ab_cdef));
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
