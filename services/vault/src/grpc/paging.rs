//! Keyset pages (AIP-158): the token is the last key, sealed, and bound to the method and its filters.
//!
//! A sealed token carries no authority and says nothing: each page is authorised like the first.

use std::fmt::Debug;

use sha2::{Digest as _, Sha256};
use strongroom_crypto::{KeyRing, Place, Purpose};

use crate::error::{Error, Result};
use crate::keys::PAGE_KEY;

const DEFAULT_SIZE: i32 = 50;
const MAX_SIZE: i32 = 1000;

/// One page asked for.
pub(crate) struct Page<'a> {
    size: i64,
    /// From the previous answer; empty for the first page.
    pub(crate) token: &'a str,
}

impl<'a> Page<'a> {
    pub(crate) fn parse(size: i32, token: &'a str) -> Result<Self> {
        if size < 0 {
            return Err(Error::Field { field: "page_size", problem: "must not be negative".into() });
        }
        let size = if size == 0 { DEFAULT_SIZE } else { size.min(MAX_SIZE) };
        Ok(Self { size: i64::from(size), token })
    }

    /// How many rows to read: one more than asked for tells whether there is another page.
    pub(crate) fn fetch(&self) -> i64 {
        self.size + 1
    }

    /// Drops the surplus row; the key of the last row kept, when there is more.
    pub(crate) fn cut<T>(&self, rows: &mut Vec<T>, key: impl Fn(&T) -> String) -> Option<String> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        if rows.len() <= size {
            return None;
        }
        rows.truncate(size);
        rows.last().map(key)
    }
}

/// What a page token is bound to.
pub(crate) struct Key {
    list: &'static str,
    filter: String,
}

impl Key {
    /// `filter` is whatever decides the list besides page size and token.
    pub(crate) fn new(list: &'static str, filter: &impl Debug) -> Self {
        Self { list, filter: hex::encode(Sha256::digest(format!("{filter:?}"))) }
    }

    fn place(&self) -> Place<'_> {
        Place { purpose: Purpose::Page, table: "page", column: self.list, row: &self.filter }
    }

    pub(crate) fn seal(&self, ring: &KeyRing, last: Option<String>) -> Result<String> {
        match last {
            Some(last) => Ok(ring.seal(PAGE_KEY, &self.place(), last.as_bytes())?),
            None => Ok(String::new()),
        }
    }

    pub(crate) fn open(&self, ring: &KeyRing, token: &str) -> Result<Option<String>> {
        if token.is_empty() {
            return Ok(None);
        }
        let opened = ring.open_value(Purpose::Page, &self.place(), token).map_err(|_| foreign_token())?;
        let last = std::str::from_utf8(opened.expose()).map_err(|_| foreign_token())?;
        Ok(Some(last.to_owned()))
    }
}

/// The token was made for another list, other filters, or not by this vault.
pub(crate) fn foreign_token() -> Error {
    Error::Field {
        field: "page_token",
        problem: "is not of this list; pass the last answer's next_page_token with the same filters".into(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use strongroom_crypto::{KeyVersion, RootKey};

    use super::*;

    #[test]
    fn a_token_fits_its_own_list_only() {
        let root = RootKey::generate();
        let ring = KeyRing::open(&[&root], &[KeyVersion::create(&root, PAGE_KEY, Purpose::Page, 1)]).unwrap();
        let key = Key::new("credentials", &("openai", 1));
        let token = key.seal(&ring, Some("last".into())).unwrap();
        assert_eq!(key.open(&ring, &token).unwrap().as_deref(), Some("last"));
        assert!(Key::new("credentials", &("anthropic", 1)).open(&ring, &token).is_err());
        assert!(Key::new("references", &("openai", 1)).open(&ring, &token).is_err());
        assert!(key.open(&ring, "bGFzdA").is_err());
    }

    #[test]
    fn sizes_follow_the_documented_rules() {
        for (asked, fetched) in [(0, 51), (1, 2), (1000, 1001), (5000, 1001)] {
            assert_eq!(Page::parse(asked, "").unwrap().fetch(), fetched, "{asked}");
        }
        assert!(Page::parse(-1, "").is_err());
    }
}
