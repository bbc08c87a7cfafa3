//! Conversion between protos and the domain modules' types. Times are `Timestamp` in protos and microseconds
//! elsewhere.

use std::collections::HashMap;

use prost_types::{Duration, Timestamp};
use serde_json::{Map, Value};
use strongroom_api::vault::v1 as proto;

use super::fields;
use crate::access::{Listed, selectors};
use crate::audit::Verification;
use crate::credentials::{Skipped, via};
use crate::error::{Error, Result};
use crate::store::{AuditHead, AuditRow, Credential, NewEvent, Outcome, ReferenceRow};

mod key;

pub(super) use key::duration;

pub(super) use strongroom_api::time::timestamp;

/// Microseconds of a given time; a time outside the years 1 to 9999 is refused.
pub(super) fn micros(field: &'static str, time: Option<&Timestamp>) -> Result<Option<i64>> {
    let Some(time) = time else { return Ok(None) };
    let refused = || Error::Field { field, problem: "is not a time between the years 1 and 9999".into() };
    strongroom_api::time::micros(time).map(Some).ok_or_else(refused)
}

/// Microseconds of a grace period: unset means an hour; negative or above 30 days is refused.
pub(super) fn grace(field: &'static str, given: Option<&Duration>) -> Result<i64> {
    const HOUR: i64 = 3_600;
    const DAYS_30: i64 = 30 * 24 * HOUR;
    let Some(given) = given else { return Ok(HOUR * 1_000_000) };
    let micros = strongroom_api::time::duration_micros(given, DAYS_30);
    micros.ok_or_else(|| Error::Field { field, problem: "must be between zero and 30 days".into() })
}

/// The etag of a revision, quoted as in HTTP (AIP-154).
fn etag(revision: i64) -> String {
    format!("\"{revision}\"")
}

impl From<Credential> for proto::Credential {
    fn from(credential: Credential) -> Self {
        let row = credential.row;
        Self {
            id: row.id,
            display_name: row.display_name,
            provider: row.provider,
            preview: row.preview,
            active: row.active,
            labels: credential.labels.into_iter().collect(),
            reference_counts: credential.references.into_iter().collect(),
            create_time: Some(timestamp(row.create_time)),
            update_time: Some(timestamp(row.update_time)),
            last_used_time: row.last_used_time.map(timestamp),
            expire_time: row.expire_time.map(timestamp),
            previous_expire_time: credential.previous_expire_time.map(timestamp),
            secret_time: Some(timestamp(row.secret_time)),
            deactivate_time: row.deactivate_time.map(timestamp),
            etag: etag(row.revision),
        }
    }
}

impl From<ReferenceRow> for proto::Reference {
    fn from(row: ReferenceRow) -> Self {
        let via = via(&row);
        let fallback_credential_ids = row.fallback_ids().map(str::to_owned).collect();
        Self {
            kind: row.kind,
            consumer: row.consumer,
            credential_id: row.credential_id.unwrap_or_default(),
            needs_provider: row.needs_provider,
            create_time: Some(timestamp(row.create_time)),
            update_time: Some(timestamp(row.update_time)),
            via,
            fallback_credential_ids,
        }
    }
}

impl From<Skipped> for proto::SkippedCandidate {
    fn from(skipped: Skipped) -> Self {
        Self { credential_id: skipped.credential_id, reason: skipped.reason.as_str().to_owned() }
    }
}

impl TryFrom<Listed> for proto::Token {
    type Error = Error;

    fn try_from(listed: Listed) -> Result<Self> {
        let Listed { row, ended_through, person } = listed;
        let selectors = selectors(&row)?.to_proto();
        Ok(Self {
            id: row.id,
            name: row.name,
            role: row.role,
            issuer: row.issuer,
            create_time: Some(timestamp(row.create_time)),
            expire_time: row.expire_time.map(timestamp),
            last_used_time: row.last_used_time.map(timestamp),
            revoke_time: row.revoke_time.map(timestamp),
            selectors,
            service: row.service,
            ended_through,
            stale_time: row.stale_time.map(timestamp),
            renewal_due: row.enrolled && !row.renewed && !person.is_empty(),
            person,
        })
    }
}

impl From<AuditHead> for proto::GetAuditHeadResponse {
    fn from(head: AuditHead) -> Self {
        Self {
            sequence: head.sequence,
            time: head.time.map(timestamp),
            mac: head.mac.map(hex::encode).unwrap_or_default(),
            chain: String::new(),
        }
    }
}

impl From<Verification> for proto::VerifyAuditLogResponse {
    fn from(found: Verification) -> Self {
        let problems = found.problems.into_iter().map(|problem| proto::AuditProblem {
            sequence: problem.sequence,
            reason: problem.reason.as_str().to_owned(),
            message: problem.message,
        });
        let problems: Vec<_> = problems.collect();
        Self {
            ok: problems.is_empty(),
            events: found.events,
            first_sequence: found.first_sequence,
            last_sequence: found.last_sequence,
            mac: hex::encode(found.mac),
            problems,
            note: found.note,
        }
    }
}

impl From<AuditRow> for proto::AuditEvent {
    fn from(row: AuditRow) -> Self {
        let metadata: Map<String, Value> = serde_json::from_str(&row.metadata).unwrap_or_default();
        Self {
            sequence: row.sequence,
            time: Some(timestamp(row.time)),
            actor: row.actor,
            via: row.via,
            event: row.event,
            target: row.target,
            metadata: metadata.into_iter().map(|(name, value)| (name, value.to_string())).collect(),
            trace_id: row.trace_id,
            outcome: outcome_to_proto(&row.outcome).into(),
            operation_id: row.operation_id.unwrap_or_default(),
        }
    }
}

/// Unspecified for a text that the vault never writes.
fn outcome_to_proto(text: &str) -> proto::AuditOutcome {
    match Outcome::from_text(text) {
        Some(Outcome::Success) => proto::AuditOutcome::Success,
        Some(Outcome::Denied) => proto::AuditOutcome::Denied,
        Some(Outcome::Failed) => proto::AuditOutcome::Failed,
        Some(Outcome::Aborted) => proto::AuditOutcome::Aborted,
        Some(Outcome::Unknown) => proto::AuditOutcome::Unknown,
        None => proto::AuditOutcome::Unspecified,
    }
}

fn outcome_from_proto(outcome: proto::AuditOutcome) -> Result<Outcome> {
    match outcome {
        proto::AuditOutcome::Unspecified => {
            Err(Error::Field { field: "event.outcome", problem: "must be given".into() })
        }
        proto::AuditOutcome::Success => Ok(Outcome::Success),
        proto::AuditOutcome::Denied => Ok(Outcome::Denied),
        proto::AuditOutcome::Failed => Ok(Outcome::Failed),
        proto::AuditOutcome::Aborted => Ok(Outcome::Aborted),
        proto::AuditOutcome::Unknown => Ok(Outcome::Unknown),
    }
}

/// An event from a service, which cannot set its time, actor or `via`.
pub(super) fn new_event(event: Option<proto::ServiceEvent>) -> Result<NewEvent> {
    let event = event.ok_or_else(|| Error::Field { field: "event", problem: "must be given".into() })?;
    let outcome = outcome_from_proto(event.outcome())?;
    Ok(NewEvent {
        target: fields::target("event.target", &event.target)?,
        metadata: metadata(event.metadata)?,
        trace_id: fields::trace_id("event.trace_id", &event.trace_id)?,
        outcome: outcome.as_str().to_owned(),
        operation_id: Some(fields::filter("event.operation_id", &event.operation_id)?)
            .filter(|id| !id.is_empty()),
        event: event.event,
        ..NewEvent::default()
    })
}

/// At most 16 KiB of JSON values.
fn metadata(given: HashMap<String, String>) -> Result<String> {
    let refuse = |problem: String| Err(Error::Field { field: "event.metadata", problem });
    if given.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > 16 * 1024 {
        return refuse("has more than 16 KiB".into());
    }
    let mut metadata = Map::new();
    for (name, value) in given {
        match serde_json::from_str(&value) {
            Ok(value) => metadata.insert(name, value),
            Err(_) => return refuse(format!("the value of {name:?} is not JSON")),
        };
    }
    Ok(Value::Object(metadata).to_string())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        for time in [0, 1, -1, 1_700_000_000_123_456, -62_135_596_800_000_000] {
            assert_eq!(micros("t", Some(&timestamp(time))).unwrap(), Some(time), "{time}");
        }
        let wrong = Timestamp { seconds: i64::MAX, nanos: 0 };
        assert!(micros("t", Some(&wrong)).is_err());
        assert!(micros("t", Some(&Timestamp { seconds: 0, nanos: -1 })).is_err());
    }
}
