//! Rows that grant access: each carries a MAC, so an attacker with write access to the database, but without a key, cannot
//! grant anything.
//!
//! The MAC is HMAC-SHA-256 (RFC 2104) by a version of the key `rows`, over fields:
//!
//! ```text
//! "strongroom row v1", table, number of the column list (1 byte), the version's kid, id of the last change,
//! then each column of the list: text as it is, integers as 8 bytes, big-endian, booleans as one byte;
//! a column that may be NULL is two fields, 0 or 1 and the value
//! ```
//!
//! A row is opened (its MAC is checked) before it is used or changed, and every change seals it again. A row that does not open
//! grants nothing, and is never sealed. The id of the last change is also in that change's audit event: an old row that was put
//! back opens, but the log contains a later change.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, Row};
use sqlx_macros::FromRow;
use strongroom_crypto::{KeyRing, Kid, MacKey, Purpose};
use strongroom_store::{Error, Result};
use tokio::time::Instant;

use super::NewEvent;
use super::fields::{put, put_optional};
use super::key_names::ROWS_KEY;

const ROW: &[u8] = b"strongroom row v1";

/// Time after a rotation in which every process of the vault learns the new version. Until then this process seals with
/// the old version, because another process might not be able to open the row.
const FOLLOWED: Duration = Duration::from_secs(5);

/// A row that grants access.
pub(super) trait Granting {
    const TABLE: &'static str;
    /// Selects every row, with its seal.
    const SELECT: &'static str;
    /// Number of the column list, from 1; each change of the list increments it.
    const LIST: u8;

    /// The condition that finds the row by its [`Self::key`], with parameters from `$4` on.
    const KEY: &'static str = "id = $4";

    /// Name of the row in messages.
    fn name(&self) -> String;

    /// The row's primary key.
    fn key(&self) -> Vec<String> {
        vec![self.name()]
    }

    /// Adds every column except the time of the last use and ciphertexts, which are authenticated by the key that
    /// sealed them.
    fn put(&self, columns: &mut Columns);
}

/// The columns of a row, in the form that its MAC covers.
pub(super) struct Columns(Vec<u8>);

impl Columns {
    pub(super) fn text(&mut self, text: &str) {
        put(&mut self.0, text.as_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        put(&mut self.0, bytes);
    }

    pub(super) fn number(&mut self, number: i64) {
        put(&mut self.0, &number.to_be_bytes());
    }

    pub(super) fn optional_number(&mut self, number: Option<i64>) {
        put_optional(&mut self.0, number.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    }

    pub(super) fn optional_text(&mut self, text: Option<&str>) {
        self.optional_bytes(text.map(str::as_bytes));
    }

    pub(super) fn optional_bytes(&mut self, bytes: Option<&[u8]>) {
        put_optional(&mut self.0, bytes);
    }

    pub(super) fn flag(&mut self, flag: bool) {
        put(&mut self.0, &[u8::from(flag)]);
    }
}

/// The seal of a row, stored beside its columns.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize, Deserialize)]
pub(crate) struct Seal {
    /// The version of the key `rows`.
    pub row_kid: String,
    /// The MAC.
    pub row_mac: Vec<u8>,
    /// The row's last change.
    pub change_id: String,
}

/// A stored row that is not checked yet. `None` if a column contains a value of the wrong type.
#[derive(Debug, Clone)]
pub(super) struct Sealed<R>(Option<(R, Seal)>);

impl<R> Sealed<R> {
    /// The result of reading a row's columns from another statement.
    pub(super) fn of(read: sqlx::Result<(R, Seal)>) -> Self {
        Self(read.ok())
    }
}

impl<R: Granting> Sealed<R> {
    /// The row before its MAC is checked: only to find and to name it.
    pub(super) fn unchecked(&self) -> Result<&(R, Seal)> {
        self.0.as_ref().ok_or_else(unreadable::<R>)
    }
}

fn unreadable<R: Granting>() -> Error {
    Error::Tampered { table: R::TABLE, row: UNREADABLE.to_owned() }
}

impl<'r, DB: Row, R: FromRow<'r, DB>> FromRow<'r, DB> for Sealed<R>
where
    Seal: FromRow<'r, DB>,
{
    fn from_row(row: &'r DB) -> Result<Self, sqlx::Error> {
        match R::from_row(row).and_then(|read| Ok((read, Seal::from_row(row)?))) {
            Ok(read) => Ok(Self(Some(read))),
            Err(error) if is_unreadable(&error) => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }
}

/// Name of a row in which a column contains a value of the wrong type: SQLite stores any value in any column.
const UNREADABLE: &str = "that cannot be read";

fn is_unreadable(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_))
}

/// Result of checking a row in a check of the whole table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Examined {
    pub(crate) table: &'static str,
    pub(crate) row: String,
    /// Its last change; for a key version, its state.
    pub(crate) change_id: String,
    /// Whether its MAC is right.
    pub(crate) is_intact: bool,
}

impl Examined {
    /// A row in which a column contains a value of the wrong type; any other error is a database error.
    pub(super) fn unreadable(table: &'static str, error: sqlx::Error) -> Result<Self> {
        if !is_unreadable(&error) {
            return Err(error.into());
        }
        Ok(Self { table, row: UNREADABLE.to_owned(), change_id: String::new(), is_intact: false })
    }
}

/// The usable versions of the key `rows`.
#[derive(Debug, Clone)]
pub(crate) struct RowKeys {
    primary: Kid,
    all: RowVerifiers,
}

impl RowKeys {
    /// The versions in `ring`.
    pub(crate) fn of(ring: &KeyRing) -> strongroom_crypto::Result<Self> {
        Ok(Self { primary: ring.primary(ROWS_KEY)?.kid(), all: RowVerifiers::of(ring) })
    }
}

/// The verifying keys without a sealing version: an archive's ring can only verify.
#[derive(Debug, Clone)]
pub(crate) struct RowVerifiers(BTreeMap<String, MacKey>);

impl RowVerifiers {
    /// The versions in `ring`.
    pub(crate) fn of(ring: &KeyRing) -> Self {
        let usable = ring.versions().filter(|version| version.key_id() == ROWS_KEY);
        let with_key = usable.filter_map(|version| {
            let key = ring.mac_key(version.kid(), Purpose::Rows).ok()?;
            Some((version.kid().to_string(), key))
        });
        Self(with_key.collect())
    }

    /// Whether the MAC of a row is right.
    pub(super) fn vouch<R: Granting>(&self, row: &R, seal: &Seal) -> bool {
        let key = self.0.get(&seal.row_kid);
        key.is_some_and(|key| key.verify(&message(row, &seal.row_kid, &seal.change_id), &seal.row_mac))
    }
}

/// The keys, and the version that currently seals.
#[derive(Debug)]
struct Known {
    keys: RowKeys,
    sealing: Kid,
    /// Time from which the primary version seals.
    followed: Instant,
}

/// The keys of this process; none until the ring is open.
#[derive(Debug, Default)]
pub(super) struct Codes(RwLock<Option<Arc<Known>>>);

impl Codes {
    pub(super) fn set(&self, keys: RowKeys) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let (sealing, followed) = match known.as_ref() {
            None => (keys.primary, Instant::now()),
            Some(before) if before.keys.primary == keys.primary => (before.sealing, before.followed),
            Some(before) => (before.keys.primary, Instant::now() + FOLLOWED),
        };
        *known = Some(Arc::new(Known { sealing, followed, keys }));
    }

    /// The row, if its MAC is right.
    ///
    /// # Errors
    /// [`Error::Tampered`] if it is not.
    pub(super) fn open<R: Granting>(&self, sealed: Sealed<R>) -> Result<R> {
        let (row, seal) = sealed.0.ok_or_else(unreadable::<R>)?;
        let known = self.known()?;
        if known.keys.all.vouch(&row, &seal) {
            return Ok(row);
        }
        Err(Error::Tampered { table: R::TABLE, row: row.name() })
    }

    /// Whether a MAC is right for a row.
    pub(super) fn vouches<R: Granting>(&self, row: &R, seal: &Seal) -> Result<bool> {
        Ok(self.known()?.keys.all.vouch(row, seal))
    }

    /// The row and its seal, if its MAC is right.
    pub(super) fn open_with_seal<R: Granting + Clone>(&self, sealed: Sealed<R>) -> Result<(R, Seal)> {
        let seal = sealed.unchecked()?.1.clone();
        Ok((self.open(sealed)?, seal))
    }

    /// The rows, if every MAC is right.
    pub(super) fn open_all<R: Granting>(&self, rows: Vec<Sealed<R>>) -> Result<Vec<R>> {
        rows.into_iter().map(|sealed| self.open(sealed)).collect()
    }

    /// The rows of a list that open. The others grant nothing, and do not hide the rest.
    pub(super) fn open_list<R: Granting>(&self, rows: Vec<Sealed<R>>) -> Result<Vec<R>> {
        let mut opened = Vec::with_capacity(rows.len());
        let mut left_out = None;
        let all = rows.len();
        for sealed in rows {
            match self.open(sealed) {
                Ok(row) => opened.push(row),
                Err(Error::Tampered { row, .. }) => left_out = Some(row),
                Err(error) => return Err(error),
            }
        }
        if let Some(row) = left_out {
            let (table, rows) = (R::TABLE, all - opened.len());
            tracing::error!(table, row, rows, "a list left out rows that were changed outside the vault");
        }
        Ok(opened)
    }

    /// Adds to `list` the rows of a page of `limit` that open and that `keep` accepts, up to `limit` rows in all. If
    /// rows of a full page were left out, returns the row after which the next page must be read.
    ///
    /// # Errors
    /// [`Error::Tampered`] for a full page without a readable row.
    pub(super) fn open_page<R: Granting + Clone>(
        &self,
        list: &mut Vec<R>,
        rows: Vec<Sealed<R>>,
        keep: impl Fn(&R) -> bool,
        limit: i64,
    ) -> Result<Option<R>> {
        let limit = usize::try_from(limit).unwrap_or(0);
        let is_full = rows.len() >= limit;
        let last = rows.iter().rev().find_map(|sealed| Some(sealed.unchecked().ok()?.0.clone()));
        list.extend(self.open_list(rows)?.into_iter().filter(keep));
        if !is_full || list.len() >= limit {
            list.truncate(limit);
            return Ok(None);
        }
        last.map(Some).ok_or_else(unreadable::<R>)
    }

    /// Opens a row that may be missing.
    pub(super) fn open_found<R: Granting>(&self, found: Option<Sealed<R>>) -> Result<Option<R>> {
        found.map(|sealed| self.open(sealed)).transpose()
    }

    /// The result of checking a row in a check of the whole table.
    pub(super) fn examine<R: Granting>(&self, sealed: Sealed<R>) -> Result<Examined> {
        let (row, change_id) = match sealed.unchecked() {
            Ok((row, seal)) => (row.name(), seal.change_id.clone()),
            Err(_) => (UNREADABLE.to_owned(), String::new()),
        };
        let is_intact = match self.open(sealed) {
            Ok(_) => true,
            Err(Error::Tampered { .. }) => false,
            Err(error) => return Err(error),
        };
        Ok(Examined { table: R::TABLE, row, change_id, is_intact })
    }

    /// The primary version's kid, once every process has had time to learn it: rows can then be sealed again with it.
    pub(super) fn followed(&self) -> Result<Option<String>> {
        let known = self.known()?;
        Ok((Instant::now() >= known.followed).then(|| known.keys.primary.to_string()))
    }

    /// The row's seal after the change that `event` records.
    pub(super) fn seal<R: Granting>(&self, row: &R, event: &NewEvent) -> Result<Seal> {
        self.seal_as(row, event.change_id()?)
    }

    /// The same for a change whose id is known.
    pub(super) fn seal_as<R: Granting>(&self, row: &R, change_id: String) -> Result<Seal> {
        let known = self.known()?;
        let usable = known.keys.all.0.contains_key(&known.sealing.to_string());
        let kid = if usable && Instant::now() < known.followed { known.sealing } else { known.keys.primary };
        let row_kid = kid.to_string();
        let key = known.keys.all.0.get(&row_kid).ok_or_else(no_keys)?;
        let row_mac = key.mac(&message(row, &row_kid, &change_id)).to_vec();
        Ok(Seal { row_kid, row_mac, change_id })
    }

    fn known(&self) -> Result<Arc<Known>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(no_keys)
    }
}

fn message<R: Granting>(row: &R, kid: &str, change_id: &str) -> Vec<u8> {
    let mut columns = Columns(Vec::with_capacity(512));
    columns.bytes(ROW);
    columns.text(R::TABLE);
    columns.bytes(&[R::LIST]);
    columns.text(kid);
    columns.text(change_id);
    row.put(&mut columns);
    columns.0
}

/// Nothing can be read or written before the ring is open.
fn no_keys() -> Error {
    Error::Inconsistent { subject: "keys for rows that grant access", expected: 1, affected: 0 }
}
