//! Keyset pages (AIP-158): a page token is the last row's key, sealed and bound to the list and its filters.
//!
//! A token grants nothing and reveals nothing: each page is authorised like the first.

use std::fmt::Debug;

use prost::Message;
use sha2::{Digest as _, Sha256};
use strongroom_crypto::{Cell, KeyRing, Purpose};

use crate::error::{Error, Result};
use crate::store::key_names::PAGE_KEY;

const DEFAULT_SIZE: i32 = 50;
const MAX_SIZE: i32 = 1000;

/// A page ends early above this size: an answer stays below 4 MiB, the default limit of clients, including its framing.
const MOST_BYTES: usize = 3 << 20;

/// A requested page.
pub(super) struct Page<'a> {
    size: i64,
    /// From the previous answer; empty for the first page.
    pub(super) token: &'a str,
}

impl<'a> Page<'a> {
    pub(super) fn parse(size: i32, token: &'a str) -> Result<Self> {
        if size < 0 {
            return Err(Error::Field { field: "page_size", problem: "must not be negative".into() });
        }
        let size = if size == 0 { DEFAULT_SIZE } else { size.min(MAX_SIZE) };
        Ok(Self { size: i64::from(size), token })
    }

    /// Number of rows to read: one more than the page has, which shows whether another page follows.
    pub(super) fn limit(&self) -> i64 {
        self.size + 1
    }

    /// Takes as many of `rows`, each with its key, as were asked for and fit into an answer. Also returns the key of
    /// the last one if another page follows.
    pub(super) fn cut<M: Message>(
        &self,
        rows: impl Iterator<Item = (String, M)>,
    ) -> (Vec<M>, Option<String>) {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let (mut messages, mut bytes, mut last) = (Vec::new(), 0, None);
        for (key, message) in rows {
            bytes += message.encoded_len();
            // One row always fits: the size of a row is limited.
            let is_full = messages.len() == size || (bytes > MOST_BYTES && !messages.is_empty());
            if is_full {
                return (messages, last);
            }
            messages.push(message);
            last = Some(key);
        }
        (messages, None)
    }
}

/// The list that a page token is bound to.
pub(super) struct List {
    name: &'static str,
    filter: String,
}

impl List {
    /// `filter` is everything that selects rows, except page size and token.
    pub(super) fn new(name: &'static str, filter: &impl Debug) -> Self {
        Self { name, filter: hex::encode(Sha256::digest(format!("{filter:?}"))) }
    }

    fn cell(&self) -> Cell<'_> {
        Cell { purpose: Purpose::Page, table: "page", column: self.name, row: &self.filter }
    }

    /// The token of the page after the row `last`; empty if there is none.
    pub(super) fn seal(&self, ring: &KeyRing, last: Option<String>) -> Result<String> {
        match last {
            Some(last) => Ok(ring.seal(PAGE_KEY, &self.cell(), last.as_bytes())?),
            None => Ok(String::new()),
        }
    }

    /// The key of the row after which the page begins; `None` for the first page.
    pub(super) fn open(&self, ring: &KeyRing, token: &str) -> Result<Option<String>> {
        if token.is_empty() {
            return Ok(None);
        }
        let opened = ring.open_value(Purpose::Page, &self.cell(), token).map_err(|_| foreign_token())?;
        let last = std::str::from_utf8(opened.expose()).map_err(|_| foreign_token())?;
        Ok(Some(last.to_owned()))
    }
}

/// The token was made for another list or other filters, or by another vault.
pub(super) fn foreign_token() -> Error {
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
        let key = List::new("credentials", &("openai", 1));
        let token = key.seal(&ring, Some("last".into())).unwrap();
        assert_eq!(key.open(&ring, &token).unwrap().as_deref(), Some("last"));
        assert!(List::new("credentials", &("anthropic", 1)).open(&ring, &token).is_err());
        assert!(List::new("references", &("openai", 1)).open(&ring, &token).is_err());
        assert!(key.open(&ring, "bGFzdA").is_err());
    }

    #[test]
    fn a_page_ends_before_it_is_too_large_for_a_client() {
        let page = Page::parse(1000, "").unwrap();
        let rows =
            |count: usize, length: usize| (0..count).map(move |at| (at.to_string(), "x".repeat(length)));
        let (messages, last) = page.cut(rows(10, 1 << 20));
        assert_eq!((messages.len(), last.as_deref()), (2, Some("1")));
        let (messages, last) = page.cut(rows(2, 5 << 20));
        assert_eq!((messages.len(), last.as_deref()), (1, Some("0")), "one always fits");
        assert_eq!(page.cut(rows(1000, 10)).1, None);
        let (messages, last) = page.cut(rows(1001, 10));
        assert_eq!((messages.len(), last.as_deref()), (1000, Some("999")));
    }

    #[test]
    fn sizes_follow_the_documented_rules() {
        for (asked, fetched) in [(0, 51), (1, 2), (1000, 1001), (5000, 1001)] {
            assert_eq!(Page::parse(asked, "").unwrap().limit(), fetched, "{asked}");
        }
        assert!(Page::parse(-1, "").is_err());
    }
}
