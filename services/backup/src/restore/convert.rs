//! Converts a restore's row for clients.

use strongroom_api::backup::v1 as proto;
use strongroom_api::time::{duration, timestamp};
use strongroom_api::vault::v1::RestoreTerms;

use super::record::{Origin, Progress, Request, RequestMode, journal_of, plan_of, request_of};
use super::target;
use crate::backups::record::from_json;
use crate::error::Result;
use crate::store::{RestoreRow, RestoreState};

/// # Errors
/// [`crate::error::Error::Defect`] for a row that cannot be read.
pub(crate) fn restore(row: &RestoreRow) -> Result<proto::Restore> {
    let (request, journal) = (request_of(row)?, journal_of(row)?);
    let steps = journal.steps.into_iter().map(|step| proto::RestoreStep {
        time: Some(timestamp(step.time)),
        source: step.source,
        step: step.step.as_str().to_owned(),
    });
    let is_plan = matches!(row.state, RestoreState::Planned | RestoreState::Refused);
    let grant_terms = is_plan.then(|| grant_terms(&row.id, &request)).flatten();
    let backup_id = match request.origin {
        Origin::Backup(id) => id,
        Origin::Upload(_) => String::new(),
    };
    Ok(proto::Restore {
        id: row.id.clone(),
        state: state(row.state).into(),
        creator: row.creator.clone(),
        create_time: Some(timestamp(row.create_time)),
        expire_time: is_plan.then(|| timestamp(row.expire_time)),
        rollback_expire_time: row.rollback_time.map(timestamp),
        end_time: row.end_time.map(timestamp),
        mode: mode(request.mode).into(),
        sources: request.sources,
        confirm: request.confirm,
        archive_id: request.archive.id,
        file_name: request.archive.file_name,
        archive_time: request.archive.time.map(|time| timestamp(time.as_microsecond())),
        backup_id,
        plan: (!row.plan.is_empty()).then(|| plan_of(row)).transpose()?,
        reason: row.reason.clone(),
        problem: row.problem.clone(),
        steps: steps.collect(),
        safety_backup_id: row.safety_backup.clone(),
        progress: (!row.progress.is_empty()).then(|| progress(from_json(&row.progress))),
        paused: (journal.paused > 0).then(|| duration(journal.paused)),
        grant_terms,
    })
}

/// A restore as an element of a list: without the terms of a grant, which may name ten thousand ids.
///
/// # Errors
/// As for [`restore`].
pub(crate) fn listed(row: &RestoreRow) -> Result<proto::Restore> {
    Ok(proto::Restore { grant_terms: None, ..restore(row)? })
}

/// The same terms as the vault derives from the data that it receives.
pub(super) fn grant_terms(id: &str, request: &Request) -> Option<RestoreTerms> {
    let archive = &request.archive;
    Some(RestoreTerms {
        principal: request.grantee.clone()?,
        restore_id: id.to_owned(),
        archive_id: archive.id.clone(),
        manifest_sha256: hex::decode(&archive.manifest_sha256).unwrap_or_default().into(),
        deployment_id: archive.deployment_id.clone(),
        mode: target::mode_of_source(request.mode).into(),
        revive_ids: request.revive_ids.clone(),
        as_copy: request.as_copy,
        from_deployment: request.from_deployment.clone(),
        accept_undecryptable: request.accept_undecryptable,
        audit_head: archive.audit_head.as_ref().map(target::audit_head),
    })
}

pub(crate) fn progress(progress: Progress) -> proto::RestoreProgress {
    let Progress { phase, table, rows, rows_total, bytes, bytes_total } = progress;
    proto::RestoreProgress { phase, table, rows, rows_total, bytes, bytes_total }
}

fn state(state: RestoreState) -> proto::RestoreState {
    match state {
        RestoreState::Planned => proto::RestoreState::Planned,
        RestoreState::Refused => proto::RestoreState::Refused,
        RestoreState::Applying => proto::RestoreState::Applying,
        RestoreState::Applied => proto::RestoreState::Applied,
        RestoreState::Failed => proto::RestoreState::Failed,
        RestoreState::RollingBack => proto::RestoreState::RollingBack,
        RestoreState::RolledBack => proto::RestoreState::RolledBack,
        RestoreState::Resumable => proto::RestoreState::Resumable,
    }
}

fn mode(mode: RequestMode) -> proto::RestoreMode {
    match mode {
        RequestMode::IntoEmpty => proto::RestoreMode::IntoEmpty,
        RequestMode::Merge => proto::RestoreMode::Merge,
        RequestMode::Replace => proto::RestoreMode::Replace,
    }
}
