//! Records who needs which key version: the vault's own rows, columns that other services report, and archives that pin
//! versions.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sqlx::{Database, Encode, QueryBuilder, Type};
use sqlx_macros::FromRow;
use strongroom_store::Result;

use super::NewEvent;
use super::columns::CountedColumn;

/// Number of a column's values that need a version.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct CensusRow {
    /// The reporting service; empty for the vault's own tables.
    pub source: String,
    /// `table.column`.
    pub column_name: String,
    /// The key.
    pub key_id: String,
    /// The version.
    pub kid: String,
    /// Number of values.
    pub value_count: i64,
    /// Time of the count.
    pub time: i64,
}

/// An archive that needs a version.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct PinRow {
    /// The archive.
    pub archive_id: String,
    /// The version.
    pub kid: String,
    /// Expiry; `None` if it holds until it is released.
    pub expire_time: Option<i64>,
}

/// The versions that a finished archive needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ArchiveNeeds {
    /// Versions; some may be unknown here. Destroyed ones are not pinned.
    pub kids: Vec<String>,
    /// Expiry; `None` if the pins hold until they are released.
    pub expire_time: Option<i64>,
}

/// Values and archives that would become unreadable without a version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Number of the vault's own rows.
    pub rows: i64,
    /// Number of columns of other services.
    pub columns: i64,
    /// Number of archives.
    pub archives: i64,
    /// Ids of some of these archives.
    pub some_archives: Vec<String>,
}

impl Needs {
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The ledger in the database.
#[async_trait]
pub(crate) trait LedgerStore: Send + Sync {
    /// Counts the values of one of the vault's own columns by version.
    async fn count_values(&self, column: &CountedColumn) -> Result<Vec<(String, i64)>>;
    /// The counts that other services reported, by source, column, key and version.
    async fn census(&self) -> Result<Vec<CensusRow>>;
    /// Replaces earlier reports for the rows' source, column and key.
    async fn report_census(&self, rows: &[CensusRow], event: &NewEvent) -> Result<()>;
    /// The needs for a version at `now`; its rows in `columns` are counted.
    async fn needs(&self, kid: &str, columns: &[CountedColumn], now: i64) -> Result<Needs>;
    /// Pins every version that is not destroyed, except those of page keys, which no archive needs, and returns the kid
    /// and key of each. Disabled versions are included, because one can be enabled before the archive's snapshot is
    /// taken. No event if all are already pinned for as long.
    async fn pin_live_versions(
        &self,
        archive_id: &str,
        expire_time: i64,
        now: i64,
        event: &NewEvent,
    ) -> Result<Vec<(String, String)>>;
    /// Makes `needs` the only pins of an archive. No event, and nothing written, if they already are.
    async fn narrow_pins(&self, archive_id: &str, needs: &ArchiveNeeds, event: &NewEvent) -> Result<()>;
    /// Releases an archive's pins; false, and no event, if there are none.
    async fn release_pins(&self, archive_id: &str, event: &NewEvent) -> Result<bool>;
    /// Pins in force at `now`, by version and archive.
    async fn pins(&self, now: i64) -> Result<Vec<PinRow>>;
}

pub(super) const CENSUS: &str = "
    SELECT source, column_name, key_id, kid, value_count, time FROM key_census
    ORDER BY source, column_name, key_id, kid";

pub(super) const FORGET_CENSUS: &str = "
    DELETE FROM key_census WHERE source = $1 AND column_name = $2 AND key_id = $3";

pub(super) const INSERT_CENSUS: &str = "
    INSERT INTO key_census (source, column_name, key_id, kid, value_count, time)
    VALUES ($1, $2, $3, $4, $5, $6)";

pub(super) const COUNT_COLUMNS: &str = "
    SELECT count(*) FROM key_census WHERE kid = $1 AND value_count > 0";

pub(super) const COUNT_PINS: &str = "
    SELECT count(*) FROM key_pins WHERE kid = $1 AND (expire_time IS NULL OR expire_time > $2)";

/// Some of the archives, for a message.
pub(super) const SOME_PINS: &str = "
    SELECT archive_id FROM key_pins WHERE kid = $1 AND (expire_time IS NULL OR expire_time > $2)
    ORDER BY archive_id LIMIT 5";

pub(super) const PINS: &str = "
    SELECT archive_id, kid, expire_time FROM key_pins
    WHERE expire_time IS NULL OR expire_time > $1
    ORDER BY kid, archive_id";

pub(super) const FORGET_LAPSED_PINS: &str = "DELETE FROM key_pins WHERE expire_time <= $1";

/// Pins of archives that are being made.
pub(super) const COUNT_OPEN_PINS: &str =
    "SELECT count(*) FROM key_pins WHERE is_open AND (expire_time IS NULL OR expire_time > $1)";

pub(super) const PIN_LIVE: &str = "
    INSERT INTO key_pins (archive_id, kid, expire_time, is_open)
    SELECT $1, v.kid, $2, TRUE FROM key_versions v JOIN keys k ON k.id = v.key_id
    WHERE v.state <> 'destroyed' AND k.purpose <> 'page'
    ON CONFLICT (archive_id, kid) DO UPDATE SET expire_time = excluded.expire_time WHERE key_pins.is_open";

/// Whether an archive pins less than [`PIN_LIVE`] would.
pub(super) const ARE_UNPINNED: &str = "
    SELECT EXISTS (
        SELECT 1 FROM key_versions v JOIN keys k ON k.id = v.key_id
        LEFT JOIN key_pins p ON p.archive_id = $1 AND p.kid = v.kid
        WHERE v.state <> 'destroyed' AND k.purpose <> 'page'
            AND (p.kid IS NULL OR p.expire_time <= $3 OR (p.is_open AND p.expire_time < $2)))";

pub(super) const PINNED: &str = "
    SELECT p.kid, v.key_id FROM key_pins p JOIN key_versions v ON v.kid = p.kid WHERE p.archive_id = $1 ORDER BY p.kid";

/// The pins of an archive with their expiry; `is_open` while the archive is being made.
pub(super) const HELD: &str = "SELECT kid, expire_time, is_open FROM key_pins WHERE archive_id = $1";

pub(super) const DESTROYED: &str = "SELECT kid FROM key_versions WHERE state = 'destroyed'";

pub(super) const FORGET_PINS: &str = "DELETE FROM key_pins WHERE archive_id = $1";

pub(super) const INSERT_PIN: &str = "
    INSERT INTO key_pins (archive_id, kid, expire_time, is_open) SELECT $1, $2, $3, FALSE
    WHERE NOT EXISTS (SELECT 1 FROM key_versions WHERE kid = $2 AND state = 'destroyed')";

/// A row of [`HELD`].
#[derive(Debug, FromRow)]
pub(super) struct HeldPin {
    kid: String,
    expire_time: Option<i64>,
    is_open: bool,
}

/// Whether narrowing to `needs` would change nothing. Destroyed versions have no pins.
pub(super) fn is_narrowed(held: &[HeldPin], destroyed: &[String], needs: &ArchiveNeeds) -> bool {
    let needed: BTreeSet<&str> = needs.kids.iter().map(String::as_str).collect();
    let pinned: BTreeSet<&str> = held.iter().map(|pin| pin.kid.as_str()).collect();
    let destroyed: BTreeSet<&str> = destroyed.iter().map(String::as_str).collect();
    let as_long = held.iter().all(|pin| !pin.is_open && pin.expire_time == needs.expire_time);
    as_long && pinned.is_subset(&needed) && needed.difference(&pinned).all(|kid| destroyed.contains(kid))
}

/// Number of the column's values for each version that they name.
pub(super) fn count_by_version<DB>(column: &CountedColumn) -> QueryBuilder<DB>
where
    DB: Database,
    DB::Arguments: Default,
{
    let mut query = QueryBuilder::new("SELECT ");
    query.push(column.kid).push(" AS kid, count(*) FROM ").push(column.table);
    query.push(" WHERE ").push(column.kid).push(" IS NOT NULL GROUP BY 1 ORDER BY 1");
    query
}

/// Number of the column's values that name `kid`.
pub(super) fn count_of_version<DB>(column: &CountedColumn, kid: &str) -> QueryBuilder<DB>
where
    DB: Database,
    DB::Arguments: Default,
    for<'t> String: Encode<'t, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new("SELECT count(*) FROM ");
    query.push(column.table).push(" WHERE ").push(column.kid).push(" = ").push_bind(kid.to_owned());
    query
}
