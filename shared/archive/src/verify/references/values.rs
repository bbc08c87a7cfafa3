//! Keys in comparable form, and large sets of them in little memory.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hash as _, Hasher as _};

use serde_json::value::RawValue;

use crate::rows::schema::Engine;

/// Longest value of a key: databases do not index longer ones.
const LONGEST: usize = 8 << 10;

/// A key of a row.
pub(super) enum Key {
    /// One of its values is NULL: it refers to nothing.
    Null,
    /// A hash of all values.
    Hash(u64),
    /// One of the values is too long to be compared.
    TooLong,
}

/// The key in the columns at the indexes `places` of a row.
pub(super) fn key(engine: Engine, places: &[usize], values: &[&RawValue], hasher: &impl BuildHasher) -> Key {
    let mut hash = hasher.build_hasher();
    for at in places {
        let json = values.get(*at).map_or("null", |value| value.get());
        if json == "null" {
            return Key::Null;
        }
        match compared(engine, json) {
            Some(text) => text.hash(&mut hash),
            None => return Key::TooLong,
        }
    }
    Key::Hash(hash.finish())
}

/// Texts are compared by content, however they were written. SQLite considers the number 5, the number 5.0
/// and the text `5` equal if one of the columns has numeric affinity.
fn compared(engine: Engine, json: &str) -> Option<Cow<'_, str>> {
    if json.len() > LONGEST {
        return None;
    }
    let text = match json.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
        Some(_) => Cow::Owned(serde_json::from_str(json).ok()?),
        None if engine == Engine::Sqlite => return Some(number(json)),
        None => Cow::Borrowed(json),
    };
    match (engine, text.strip_suffix(".0")) {
        (Engine::Sqlite, Some(integer)) => Some(Cow::Owned(integer.to_owned())),
        _ => Some(text),
    }
}

/// Converts a REAL without a fraction to the INTEGER of the same value.
fn number(json: &str) -> Cow<'_, str> {
    const LARGEST: f64 = 9.2e18;
    match json.parse::<f64>() {
        Ok(real) if json.contains(['.', 'e', 'E']) && real.fract() == 0.0 && real.abs() < LARGEST => {
            Cow::Owned((real as i64).to_string())
        }
        _ => Cow::Borrowed(json),
    }
}

/// A set of hashes. A set that was given up accepts no more.
#[derive(Debug, Default)]
pub(super) struct Hashes {
    hashes: Vec<u64>,
    is_given_up: bool,
}

impl Hashes {
    /// Returns the number of hashes added.
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

    /// Returns the number of hashes dropped.
    pub(super) fn give_up(&mut self) -> usize {
        self.is_given_up = true;
        std::mem::take(&mut self.hashes).len()
    }

    /// Returns the number of distinct hashes.
    pub(super) fn sort(&mut self) -> usize {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.hashes.len()
    }

    /// Number of hashes that are not in `other`; both are sorted. `None` if either was given up.
    pub(super) fn missing_in(&self, other: &Self) -> Option<u64> {
        if self.is_given_up || other.is_given_up {
            return None;
        }
        let missing = self.hashes.iter().filter(|hash| other.hashes.binary_search(hash).is_err());
        Some(missing.count() as u64)
    }
}
