//! Conversion of keys between protos and the domain modules' types.

use prost_types::Duration;
use strongroom_api::vault::v1 as proto;

use super::timestamp;
use crate::error::{Error, Result};
use crate::keys::{Census, Inspected, InspectedVersion, Merged, Progress};
use crate::store::{CensusRow, KeyRequestRow, KeyVersionRow, PinRow};

/// Microseconds of a given duration; one that is not positive or longer than ten years is refused.
pub(in crate::grpc) fn duration(field: &'static str, given: Option<&Duration>) -> Result<Option<i64>> {
    const TEN_YEARS: i64 = 3650 * 24 * 60 * 60;
    let Some(given) = given else { return Ok(None) };
    let micros = strongroom_api::time::duration_micros(given, TEN_YEARS);
    let refused = || Error::Field { field, problem: "must be a time span of at most ten years".into() };
    micros.map(Some).ok_or_else(refused)
}

impl From<KeyVersionRow> for proto::KeyVersion {
    fn from(row: KeyVersionRow) -> Self {
        Self {
            kid: row.kid,
            key_id: row.key_id,
            purpose: row.purpose.to_string(),
            number: i32::try_from(row.number).unwrap_or(i32::MAX),
            state: row.state.to_string(),
            root_key_id: row.root_key_id,
            create_time: Some(timestamp(row.create_time)),
            state_time: Some(timestamp(row.state_time)),
            destroy_time: row.destroy_time.map(timestamp),
        }
    }
}

impl From<Inspected> for proto::InspectRingResponse {
    fn from(inspected: Inspected) -> Self {
        Self {
            root_key_id: inspected.ring.root_key_id.to_string(),
            root_key_known: inspected.root_key_known,
            deployment_id: inspected.ring.deployment_id,
            same_deployment: inspected.same_deployment,
            versions: inspected.versions.into_iter().map(Into::into).collect(),
            root_key_current: inspected.root_key_current,
            vault_empty: inspected.vault_empty,
            principal: String::new(),
        }
    }
}

impl From<InspectedVersion> for proto::RingVersion {
    fn from(InspectedVersion { archived, live, opens, public_key }: InspectedVersion) -> Self {
        Self {
            kid: archived.version.kid.to_string(),
            key_id: archived.version.key_id,
            purpose: archived.version.purpose.to_string(),
            state: archived.version.state.to_string(),
            create_time: Some(timestamp(archived.create_time)),
            state_time: Some(timestamp(archived.state_time)),
            live_state: live.map(|state| state.to_string()).unwrap_or_default(),
            opens,
            public_key: public_key.map(hex::encode).unwrap_or_default(),
        }
    }
}

impl From<Merged> for proto::MergeKeyRingResponse {
    fn from(merged: Merged) -> Self {
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        Self {
            added: count(merged.added),
            disabled: count(merged.disabled),
            needed: count(merged.needed),
            primaries: count(merged.primaries),
            without_bytes: count(merged.without_bytes),
        }
    }
}

impl From<Progress> for proto::ReencryptResponse {
    fn from(progress: Progress) -> Self {
        Self { rows_done: progress.rows_done, rows_left: progress.rows_left, done: progress.done }
    }
}

impl From<CensusRow> for proto::KeyCensusCount {
    fn from(row: CensusRow) -> Self {
        Self {
            kid: row.kid,
            key_id: row.key_id,
            column: row.column_name,
            source: row.source,
            values: row.value_count,
            time: Some(timestamp(row.time)),
        }
    }
}

impl From<PinRow> for proto::KeyPin {
    fn from(row: PinRow) -> Self {
        Self { archive_id: row.archive_id, kid: row.kid, expire_time: row.expire_time.map(timestamp) }
    }
}

impl From<Census> for proto::GetKeyCensusResponse {
    fn from(census: Census) -> Self {
        Self {
            counts: census.counts.into_iter().map(Into::into).collect(),
            pins: census.pins.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<KeyRequestRow> for proto::KeyRequest {
    fn from(row: KeyRequestRow) -> Self {
        Self {
            id: row.id,
            kid: row.kid,
            action: row.action.as_str().to_owned(),
            requester: row.requester,
            approver: row.approver,
            create_time: Some(timestamp(row.create_time)),
            expire_time: Some(timestamp(row.expire_time)),
        }
    }
}
