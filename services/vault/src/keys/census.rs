//! The census: the number of values that need each version. The vault counts its own tables; other services report
//! theirs.

use std::collections::BTreeMap;

use strongroom_crypto::Purpose;
use strongroom_runtime::Caller;

use super::{Ledger, versions};
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::store::{CensusRow, KeyVersionRow, PinRow, columns};

/// How long a report of another service's column is valid, in microseconds.
const FRESH: i64 = 24 * 60 * 60 * 1_000_000;
/// Time after a rotation by which every process of the vault uses the new version, in microseconds. Until then, a
/// process can still seal with the old version.
const FOLLOWED: i64 = 5 * 1_000_000;

/// Values by version, and the pins of archives.
pub(crate) struct Census {
    pub(crate) counts: Vec<CensusRow>,
    pub(crate) pins: Vec<PinRow>,
}

/// Another service's count of the values in one of its columns.
pub(crate) struct CensusReport {
    pub(crate) key_id: String,
    /// The counted service or database.
    pub(crate) source: String,
    /// `table.column`.
    pub(crate) column: String,
    /// Values by kid, none negative.
    pub(crate) values: BTreeMap<String, i64>,
    /// Time of the count; not in the future.
    pub(crate) time: i64,
}

impl Ledger {
    /// The census of one key, or of all keys if `key_id` is empty.
    pub(crate) async fn census(&self, key_id: &str) -> Result<Census> {
        let versions = match key_id {
            "" => versions::all(self.store.as_ref()).await?,
            key_id => versions::of_key(self.store.as_ref(), key_id).await?,
        };
        let now = self.now();
        let mut counts = Vec::new();
        for column in columns::counted(key_id) {
            for (kid, value_count) in self.store.count_values(&column).await? {
                counts.push(CensusRow {
                    source: String::new(),
                    column_name: format!("{}.{}", column.table, column.column),
                    key_id: column.key_id.to_owned(),
                    kid,
                    value_count,
                    time: now,
                });
            }
        }
        let reported = self.store.census().await?;
        counts.extend(reported.into_iter().filter(|row| key_id.is_empty() || row.key_id == key_id));
        let mut pins = self.store.pins(now).await?;
        pins.retain(|pin| versions.iter().any(|version| version.kid == pin.kid));
        Ok(Census { counts, pins })
    }

    /// Replaces the earlier report for the same source, column and key.
    pub(crate) async fn report_census(&self, caller: &Caller, report: CensusReport) -> Result<()> {
        let CensusReport { key_id, source, column, mut values, time } = report;
        let versions = versions::of_key(self.store.as_ref(), &key_id).await?;
        if versions[0].purpose != Purpose::Caller {
            let problem = "must be a key for callers; the vault counts its own".into();
            return Err(Error::Field { field: "key_id", problem });
        }
        let total: i64 = values.values().fold(0, |total, count| total.saturating_add(*count));
        let rows: Vec<CensusRow> = versions
            .into_iter()
            .map(|version| CensusRow {
                source: source.clone(),
                column_name: column.clone(),
                key_id: key_id.clone(),
                value_count: values.remove(&version.kid).unwrap_or(0),
                kid: version.kid,
                time,
            })
            .collect();
        if let Some(kid) = values.keys().next() {
            return Err(Error::Field {
                field: "values",
                problem: format!("{kid} is not a version of {key_id}"),
            });
        }
        let event = Event::by(caller, self.now(), "key.census_reported", &key_id)
            .with("source", source)
            .with("column", column)
            .with("values", total)
            .finish();
        Ok(self.store.report_census(&rows, &event).await?)
    }

    /// Whether every column ever reported for the version's key was counted within the last day, and after the version
    /// had stopped sealing: an older report does not cover values sealed later.
    pub(super) async fn census_is_fresh(&self, version: &KeyVersionRow) -> Result<bool> {
        let versions = versions::of_key(self.store.as_ref(), &version.key_id).await?;
        // Compared by time, not number. A version imported with another vault's ring sealed nothing here, so it
        // replaced no version; and values that need an imported version did not arrive before it did.
        let is_later =
            |other: &&KeyVersionRow| other.import_time.is_none() && other.create_time > version.create_time;
        let replaced = versions.iter().filter(is_later).map(|later| later.create_time).min();
        let sealed_until = version.import_time.or(replaced).map(|time| time + FOLLOWED);
        let oldest = (self.now() - FRESH).max(sealed_until.unwrap_or(i64::MIN));
        let reported = self.store.census().await?;
        let mut times =
            reported.iter().filter(|row| row.key_id == version.key_id).map(|row| row.time).peekable();
        Ok(times.peek().is_some() && times.all(|time| time >= oldest))
    }
}
