//! `strongroom.backup.v1.ScheduleService`.

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::preview_retention_response::Fate as FateMessage;
use strongroom_api::backup::v1::schedule_service_server::ScheduleService;
use strongroom_api::time::{duration, duration_micros, timestamp};
use strongroom_runtime::Caller;
use tonic::{Request, Response, Status};

use super::answer::{answer, to_its_end};
use super::drill as drills;
use super::request::{check_names, parse};
use super::stored;
use crate::error::{Error, Result};
use crate::schedules::rules::{Policy, Rules, is_name};
use crate::schedules::{Outlook, Schedules, View, etag};

/// In seconds, above the maximum of every duration.
const LONGEST: i64 = 1000 * 24 * 3600;
/// Maximum number of fates in an answer, which then stays below 4 MiB.
const MOST_FATES: usize = 10_000;
/// Maximum number of periods of a retention policy.
const MOST_PERIODS: i32 = 10_000;

/// The service implementation for tonic.
pub(crate) struct ScheduleGrpc {
    pub(crate) schedules: Schedules,
}

#[tonic::async_trait]
impl ScheduleService for ScheduleGrpc {
    async fn create_schedule(
        &self,
        request: Request<proto::CreateScheduleRequest>,
    ) -> Result<Response<proto::CreateScheduleResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let name = name_of(request.name.clone())?;
        let rules = rules(request).map_err(|error| error.status())?;
        let schedules = self.schedules.clone();
        let created = to_its_end(async move { schedules.create(&caller, &name, rules).await }).await;
        answer(created.map(|view| proto::CreateScheduleResponse { schedule: Some(schedule(view)) }))
    }

    async fn get_schedule(
        &self,
        request: Request<proto::GetScheduleRequest>,
    ) -> Result<Response<proto::GetScheduleResponse>, Status> {
        let name = name_of(request.into_inner().name)?;
        let found = self.schedules.get(&name).await;
        answer(found.map(|view| proto::GetScheduleResponse { schedule: Some(schedule(view)) }))
    }

    async fn list_schedules(
        &self,
        _request: Request<proto::ListSchedulesRequest>,
    ) -> Result<Response<proto::ListSchedulesResponse>, Status> {
        let found = self.schedules.list().await;
        answer(found.map(|views| proto::ListSchedulesResponse {
            schedules: views.into_iter().map(schedule).collect(),
        }))
    }

    async fn run_schedule(
        &self,
        request: Request<proto::RunScheduleRequest>,
    ) -> Result<Response<proto::RunScheduleResponse>, Status> {
        let caller = Caller::of(&request)?;
        let name = name_of(request.into_inner().name)?;
        let schedules = self.schedules.clone();
        let begun = to_its_end(async move { schedules.run_now(&caller, &name).await }).await;
        answer(begun.map(|backup| proto::RunScheduleResponse { backup: Some(stored::backup(backup)) }))
    }

    async fn pause_schedule(
        &self,
        request: Request<proto::PauseScheduleRequest>,
    ) -> Result<Response<proto::PauseScheduleResponse>, Status> {
        let caller = Caller::of(&request)?;
        let name = name_of(request.into_inner().name)?;
        let schedules = self.schedules.clone();
        let paused = to_its_end(async move { schedules.pause(&caller, &name).await }).await;
        answer(paused.map(|view| proto::PauseScheduleResponse { schedule: Some(schedule(view)) }))
    }

    async fn resume_schedule(
        &self,
        request: Request<proto::ResumeScheduleRequest>,
    ) -> Result<Response<proto::ResumeScheduleResponse>, Status> {
        let caller = Caller::of(&request)?;
        let name = name_of(request.into_inner().name)?;
        let schedules = self.schedules.clone();
        let resumed = to_its_end(async move { schedules.resume(&caller, &name).await }).await;
        answer(resumed.map(|view| proto::ResumeScheduleResponse { schedule: Some(schedule(view)) }))
    }

    async fn delete_schedule(
        &self,
        request: Request<proto::DeleteScheduleRequest>,
    ) -> Result<Response<proto::DeleteScheduleResponse>, Status> {
        let caller = Caller::of(&request)?;
        let proto::DeleteScheduleRequest { name, etag } = request.into_inner();
        let name = name_of(name)?;
        let schedules = self.schedules.clone();
        let deleted = to_its_end(async move { schedules.delete(&caller, &name, &etag).await }).await;
        answer(deleted.map(|()| proto::DeleteScheduleResponse {}))
    }

    async fn preview_retention(
        &self,
        request: Request<proto::PreviewRetentionRequest>,
    ) -> Result<Response<proto::PreviewRetentionResponse>, Status> {
        let proto::PreviewRetentionRequest { name, retention } = request.into_inner();
        let name = name_of(name)?;
        let policy = retention.map(policy).transpose().map_err(|error| error.status())?;
        answer(self.schedules.outlook(&name, policy).await.map(preview))
    }
}

fn name_of(name: String) -> Result<String, Status> {
    if is_name(&name) {
        return Ok(name);
    }
    Err(Error::field("name", "must have 1 to 63 of a-z, 0-9 and -, and begin with a letter").status())
}

fn rules(request: proto::CreateScheduleRequest) -> Result<Rules> {
    let proto::CreateScheduleRequest {
        cron,
        time_zone,
        jitter,
        timeout,
        destinations,
        retention,
        verify_every,
        drill_every,
        ..
    } = &request;
    check_names("destinations", destinations)?;
    let jitter = length("jitter", jitter.as_ref())?.unwrap_or(0);
    let timeout = length("timeout", timeout.as_ref())?;
    let verify_every = length("verify_every", verify_every.as_ref())?;
    let drill_every = length("drill_every", drill_every.as_ref())?;
    let (cron, time_zone) = (cron.clone(), time_zone.clone());
    let (destinations, retention) = (destinations.clone(), retention.map(policy).transpose()?);
    let selected = parse(request.include, request.tables, None)?;
    let (include, tables) = (selected.include, selected.tables);
    Ok(Rules {
        cron,
        time_zone,
        jitter,
        timeout,
        include,
        tables,
        destinations,
        retention,
        verify_every,
        drill_every,
    })
}

/// A duration in microseconds.
fn length(field: &'static str, given: Option<&prost_types::Duration>) -> Result<Option<i64>> {
    let micros = |given| duration_micros(given, LONGEST);
    let outside = || Error::field(field, "must be neither negative nor longer than a thousand days");
    given.map(|given| micros(given).ok_or_else(outside)).transpose()
}

fn policy(given: proto::RetentionPolicy) -> Result<Policy> {
    let count = |field: &str, count: i32| match usize::try_from(count) {
        Ok(periods) if count <= MOST_PERIODS => Ok(periods),
        _ => Err(Error::field(format!("retention.{field}"), format!("must be 0 to {MOST_PERIODS}"))),
    };
    Ok(Policy {
        daily: count("daily", given.daily)?,
        weekly: count("weekly", given.weekly)?,
        monthly: count("monthly", given.monthly)?,
        min: count("min", given.min)?,
    })
}

fn schedule(view: View) -> proto::Schedule {
    let (state, next_drill, next_verify) = (view.state(), view.next_drill(), view.next_verification());
    let View { row, rules, last, stored: newest, drill, .. } = view;
    let etag = etag(&row);
    let waits = !row.paused && row.due_time != i64::MAX;
    proto::Schedule {
        name: row.name,
        cron: rules.cron,
        time_zone: rules.time_zone,
        jitter: (rules.jitter > 0).then(|| duration(rules.jitter)),
        timeout: rules.timeout.map(duration),
        selection: Some(proto::BackupSelection {
            include: rules.include,
            tables: rules.tables,
            since: None,
            seal: "configured".to_owned(),
        }),
        destinations: rules.destinations,
        retention: rules.retention.map(policy_message),
        paused: row.paused,
        creator: row.creator,
        create_time: Some(timestamp(row.create_time)),
        orphan_time: row.orphan_time.map(timestamp),
        next_due_time: waits.then(|| timestamp(row.due_time)),
        next_start_time: waits.then(|| timestamp(row.start_time)),
        reason: row.reason,
        problem: row.problem,
        last_backup: last.map(stored::listed),
        last_success_time: newest.and_then(|backup| backup.row.end_time).map(timestamp),
        etag,
        verify_every: rules.verify_every.map(duration),
        drill_every: rules.drill_every.map(duration),
        last_drill: drill.map(drills::listed),
        next_drill_time: next_drill.map(timestamp),
        next_verify_time: next_verify.map(timestamp),
        state: state.to_owned(),
    }
}

fn policy_message(policy: Policy) -> proto::RetentionPolicy {
    // They were at most 10,000 when they arrived.
    let count = |count: usize| i32::try_from(count).unwrap_or(MOST_PERIODS);
    let Policy { daily, weekly, monthly, min } = policy;
    proto::RetentionPolicy {
        daily: count(daily),
        weekly: count(weekly),
        monthly: count(monthly),
        min: count(min),
    }
}

fn preview(outlook: Outlook) -> proto::PreviewRetentionResponse {
    let Outlook { fates, suspended } = outlook;
    let fates = fates.into_iter().take(MOST_FATES).map(|(one, fate)| FateMessage {
        id: one.id,
        file_name: one.file_name,
        create_time: Some(timestamp(one.create_time)),
        goes: fate.goes,
        reasons: fate.reasons,
    });
    proto::PreviewRetentionResponse { fates: fates.collect(), suspended: suspended.unwrap_or_default() }
}
