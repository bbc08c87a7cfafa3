//! Who needs which version: counted in our own tables, reported for the columns of others.

use std::collections::BTreeMap;

use strongroom_crypto::Purpose;
use strongroom_runtime::Caller;

use super::columns;
use crate::error::{Error, Result};
use crate::store::{CensusRow, KeyVersionRow, PinRow};
use crate::vault::Vault;

/// How long a report of another service's column says something.
const FRESH: i64 = 24 * 60 * 60 * 1_000_000;
/// By then every process of the vault has followed a rotation; until then one may seal with the version before.
const FOLLOWED: i64 = 5 * 1_000_000;

/// Values by version, and the archives that pin one.
pub(crate) struct Census {
    pub(crate) counts: Vec<CensusRow>,
    pub(crate) pins: Vec<PinRow>,
}

impl Vault {
    /// The census of one key, or of all when `key_id` is empty.
    pub(crate) async fn key_census(&self, key_id: &str) -> Result<Census> {
        let versions = match key_id {
            "" => self.key_versions().await?,
            key_id => self.versions_of(key_id).await?,
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

    /// Takes a report of another service's column: `values` by kid, as counted at `time` or now.
    pub(crate) async fn report_census(
        &self,
        caller: &Caller,
        key_id: &str,
        source: &str,
        column: &str,
        mut values: BTreeMap<String, i64>,
        time: Option<i64>,
    ) -> Result<()> {
        let now = self.now();
        let time = time.unwrap_or(now);
        if time > now {
            return Err(Error::Field { field: "count_time", problem: "must not be in the future".into() });
        }
        let versions = self.versions_of(key_id).await?;
        if versions[0].purpose != Purpose::Caller.as_str() {
            let problem = "must be a key for callers; the vault counts its own".into();
            return Err(Error::Field { field: "key_id", problem });
        }
        let total: i64 = values.values().fold(0, |total, count| total.saturating_add(*count));
        let rows: Vec<CensusRow> = versions
            .into_iter()
            .map(|version| CensusRow {
                source: source.to_owned(),
                column_name: column.to_owned(),
                key_id: key_id.to_owned(),
                value_count: values.remove(&version.kid).unwrap_or(0),
                kid: version.kid,
                time,
            })
            .collect();
        if let Some(kid) = values.keys().next() {
            return Err(Error::Field {
                field: "values",
                problem: format!("{kid} is no version of {key_id}"),
            });
        }
        let event = self
            .event(caller, "key.census_reported", key_id)
            .with("source", source)
            .with("column", column)
            .with("values", total)
            .finish();
        Ok(self.store.report_census(&rows, &event).await?)
    }

    /// Whether every column that was ever reported for the version's key was counted within a day, and after
    /// the version had stopped sealing: an older report says nothing about what came later.
    pub(super) async fn census_is_fresh(&self, version: &KeyVersionRow) -> Result<bool> {
        let versions = self.versions_of(&version.key_id).await?;
        let next = versions.iter().find(|next| next.number > version.number);
        let sealed_until = next.map(|next| next.create_time + FOLLOWED);
        let oldest = (self.now() - FRESH).max(sealed_until.unwrap_or(i64::MIN));
        let reported = self.store.census().await?;
        let mut times =
            reported.iter().filter(|row| row.key_id == version.key_id).map(|row| row.time).peekable();
        Ok(times.peek().is_some() && times.all(|time| time >= oldest))
    }
}
