//! `strongroom schedule`.

mod changes;
mod shown;

use anyhow::{Context as _, Result};
use strongroom_api::backup::v1::{
    GetScheduleRequest, ListSchedulesRequest, PreviewRetentionRequest, RunScheduleRequest, Schedule,
};

use super::backup::{judge, print_backup, watch_to_its_end};
use crate::cli::{Retention, RunSchedule, ScheduleCommand};
use crate::client::{self, Connection, unary};
use crate::output::{Format, message};

/// Full protobuf names, for JSON.
const SCHEDULE: &str = "strongroom.backup.v1.Schedule";
const PREVIEW: &str = "strongroom.backup.v1.PreviewRetentionResponse";

pub(super) async fn run(command: ScheduleCommand, format: Format) -> Result<()> {
    let service = client::backup()?;
    match command {
        ScheduleCommand::Create(create) => print(&changes::create(&service, *create).await?, format),
        ScheduleCommand::List => list(&service, format).await,
        ScheduleCommand::Get(given) => print(&get(&service, given.name).await?, format),
        ScheduleCommand::Run(given) => run_now(&service, given, format).await,
        ScheduleCommand::Pause(given) => print(&changes::pause(&service, given.name).await?, format),
        ScheduleCommand::Resume(given) => print(&changes::resume(&service, given.name).await?, format),
        ScheduleCommand::Retention(given) => retention(&service, given, format).await,
        ScheduleCommand::Delete(delete) => changes::delete(&service, delete).await,
    }
}

fn print(schedule: &Schedule, format: Format) -> Result<()> {
    format.message(SCHEDULE, schedule, || shown::text(schedule))
}

async fn get(service: &Connection, name: String) -> Result<Schedule> {
    let answer = service.answer(service.schedules().get_schedule(unary(GetScheduleRequest { name }))).await?;
    known(answer.schedule)
}

fn known(schedule: Option<Schedule>) -> Result<Schedule> {
    schedule.context("the backup service answered without a schedule")
}

async fn list(service: &Connection, format: Format) -> Result<()> {
    let answer = service.answer(service.schedules().list_schedules(unary(ListSchedulesRequest {}))).await?;
    format.list(SCHEDULE, &answer.schedules, || shown::table(&answer.schedules))
}

async fn run_now(service: &Connection, given: RunSchedule, format: Format) -> Result<()> {
    let request = unary(RunScheduleRequest { name: given.name });
    let begun = service.answer(service.schedules().run_schedule(request)).await?.backup;
    let begun = begun.context("the backup service answered without a backup")?;
    if given.no_wait {
        return print_backup(format, &begun);
    }
    let ended = watch_to_its_end(service, begun.id.clone(), Some(begun)).await?;
    print_backup(format, &ended)?;
    judge(&ended)
}

async fn retention(service: &Connection, given: Retention, format: Format) -> Result<()> {
    let Retention { name, keep } = given;
    let request = unary(PreviewRetentionRequest { name, retention: keep });
    let preview = service.answer(service.schedules().preview_retention(request)).await?;
    format.message(PREVIEW, &preview, || shown::fates(&preview))?;
    if !preview.suspended.is_empty() {
        message(&format!("nothing is deleted at present: {}", preview.suspended));
    }
    Ok(())
}
