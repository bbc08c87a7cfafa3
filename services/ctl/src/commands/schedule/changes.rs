//! Commands that change a schedule.

use anyhow::Result;
use strongroom_api::backup::v1::{
    CreateScheduleRequest, DeleteScheduleRequest, PauseScheduleRequest, ResumeScheduleRequest, Schedule,
};

use super::{get, known, shown};
use crate::cli::{CreateSchedule, DeleteSchedule};
use crate::client::{Connection, unary};
use crate::commands::confirmation;
use crate::output::message;
use crate::time::length_to_wire;

pub(super) async fn create(service: &Connection, create: CreateSchedule) -> Result<Schedule> {
    let CreateSchedule {
        name,
        cron,
        timezone,
        jitter,
        timeout,
        keep,
        verify_every,
        drill_every,
        tables,
        destinations,
    } = create;
    let request = CreateScheduleRequest {
        name,
        cron,
        time_zone: timezone,
        jitter: jitter.map(length_to_wire),
        timeout: timeout.map(length_to_wire),
        include: tables.include,
        tables: tables.tables,
        destinations,
        retention: keep,
        verify_every: verify_every.map(length_to_wire),
        drill_every: drill_every.map(length_to_wire),
    };
    known(service.answer(service.schedules().create_schedule(unary(request))).await?.schedule)
}

pub(super) async fn pause(service: &Connection, name: String) -> Result<Schedule> {
    let request = unary(PauseScheduleRequest { name });
    known(service.answer(service.schedules().pause_schedule(request)).await?.schedule)
}

pub(super) async fn resume(service: &Connection, name: String) -> Result<Schedule> {
    let request = unary(ResumeScheduleRequest { name });
    known(service.answer(service.schedules().resume_schedule(request)).await?.schedule)
}

pub(super) async fn delete(service: &Connection, delete: DeleteSchedule) -> Result<()> {
    let DeleteSchedule { name, confirmation: given } = delete;
    // The confirmation applies to the displayed state: a schedule that changes in between is not deleted.
    let etag = if confirmation::is_needed(&given)? {
        let schedule = get(service, name.clone()).await?;
        let loss = "it will not run any more, and its backups stay until somebody deletes them";
        confirmation::ask(&format!("{}{loss}", shown::text(&schedule)), "delete it")?;
        schedule.etag
    } else {
        String::new()
    };
    let request = unary(DeleteScheduleRequest { name: name.clone(), etag });
    service.answer(service.schedules().delete_schedule(request)).await?;
    message(&format!("the schedule {name} is deleted; its backups stay"));
    Ok(())
}
