//! Keys as they are compared, and many of them in little memory.

use serde_json::value::RawValue;

use crate::error::Result;
use crate::rows::schema::Engine;

/// A column of a key: where its values are in a row, and how they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyColumn {
    pub(super) at: usize,
    pub(super) engine: Engine,
}

/// The values of a key; `None` where one of them is NULL, which refers to nothing.
pub(super) fn key(columns: &[KeyColumn], values: &[&RawValue]) -> Result<Option<Vec<String>>> {
    let mut key = Vec::with_capacity(columns.len());
    for KeyColumn { at, engine } in columns {
        let json = values.get(*at).map_or("null", |value| value.get());
        if json == "null" {
            return Ok(None);
        }
        key.push(compared(*engine, json)?);
    }
    Ok(Some(key))
}

/// Texts are compared as they are, however they were written. SQLite takes the number 5, the number 5.0 and the text `5`
/// for the same where one of the columns is made for numbers.
fn compared(engine: Engine, json: &str) -> Result<String> {
    let text = match json.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => plain.to_owned(),
        Some(_) => serde_json::from_str(json).map_err(|_| crate::Error::Value("is no text"))?,
        None => json.to_owned(),
    };
    match engine {
        Engine::Postgres => Ok(text),
        Engine::Sqlite => Ok(text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)),
    }
}

/// A set of hashes. One that was given up takes no more.
#[derive(Debug, Default)]
pub(super) struct Hashes {
    hashes: Vec<u64>,
    is_given_up: bool,
}

impl Hashes {
    /// Returns how many more are remembered.
    pub(super) fn add(&mut self, hash: u64) -> usize {
        if self.is_given_up || self.hashes.last() == Some(&hash) {
            return 0;
        }
        self.hashes.push(hash);
        1
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Returns how many were remembered.
    pub(super) fn give_up(&mut self) -> usize {
        self.is_given_up = true;
        std::mem::take(&mut self.hashes).len()
    }

    /// Returns how many different ones there are.
    pub(super) fn sort(&mut self) -> usize {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.hashes.len()
    }

    /// How many are not in `other`; both are sorted. `None` if one of the two was given up.
    pub(super) fn missing_in(&self, other: &Self) -> Option<u64> {
        if self.is_given_up || other.is_given_up {
            return None;
        }
        let missing = self.hashes.iter().filter(|hash| other.hashes.binary_search(hash).is_err());
        Some(missing.count() as u64)
    }
}
