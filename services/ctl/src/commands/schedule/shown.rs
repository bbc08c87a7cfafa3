//! Schedules for people.

use strongroom_api::backup::v1::{Backup, Drill, PreviewRetentionResponse, RetentionPolicy, Schedule};

use crate::commands::backup::{backup_state, with_reason};
use crate::commands::drill::drill_state;
use crate::output::{Table, key_values};
use crate::time::{shown, shown_length};

pub(super) fn table(schedules: &[Schedule]) -> Table {
    let mut table =
        Table::new(&["NAME", "CRON", "TIME ZONE", "STATE", "NEXT", "LAST", "LAST STORED", "KEEP"]);
    for schedule in schedules {
        table.row([
            &*schedule.name,
            &schedule.cron,
            zone(schedule),
            &schedule.state,
            &shown(schedule.next_start_time.as_ref()),
            &schedule.last_backup.as_ref().map(last).unwrap_or_default(),
            &shown(schedule.last_success_time.as_ref()),
            &keep(schedule.retention.as_ref()),
        ]);
    }
    table
}

pub(super) fn text(schedule: &Schedule) -> String {
    let mut lines = vec![
        ("name", schedule.name.clone()),
        ("cron", schedule.cron.clone()),
        ("time zone", zone(schedule).to_owned()),
        ("state", schedule.state.clone()),
        ("creator", schedule.creator.clone()),
        ("keep", keep(schedule.retention.as_ref())),
    ];
    let mut add = |name, text: String| {
        if !text.is_empty() {
            lines.push((name, text));
        }
    };
    add("jitter", shown_length(schedule.jitter.as_ref()));
    add("timeout", shown_length(schedule.timeout.as_ref()));
    add("verified every", shown_length(schedule.verify_every.as_ref()));
    add("drilled every", shown_length(schedule.drill_every.as_ref()));
    add("last drill", schedule.last_drill.as_ref().map(last_drill).unwrap_or_default());
    let selection = schedule.selection.clone().unwrap_or_default();
    add("include", selection.include.join(", "));
    add("tables", selection.tables.join(", "));
    add("destinations", schedule.destinations.join(", "));
    add("next run", shown(schedule.next_start_time.as_ref()));
    add("last run", schedule.last_backup.as_ref().map(last).unwrap_or_default());
    add("last stored", shown(schedule.last_success_time.as_ref()));
    add("next verification", shown(schedule.next_verify_time.as_ref()));
    add("next drill", shown(schedule.next_drill_time.as_ref()));
    if !schedule.problem.is_empty() {
        add("problem", with_reason(&schedule.problem, &schedule.reason));
    }
    if let Some(since) = &schedule.orphan_time {
        let name = &schedule.name;
        let since = shown(Some(since));
        add(
            "orphaned",
            format!(
                "since {since}: its creator may no longer make backups; `strongroom schedule resume {name}` adopts it"
            ),
        );
    }
    key_values(lines)
}

pub(super) fn fates(preview: &PreviewRetentionResponse) -> String {
    let mut table = Table::new(&["ID", "CREATED", "FATE", "WHY"]);
    for fate in &preview.fates {
        let becomes = if fate.goes { "goes" } else { "stays" };
        table.row([&*fate.id, &shown(fate.create_time.as_ref()), becomes, &fate.reasons.join(", ")]);
    }
    table.to_string()
}

fn zone(schedule: &Schedule) -> &str {
    if schedule.time_zone.is_empty() { "UTC" } else { &schedule.time_zone }
}

fn last(backup: &Backup) -> String {
    let state = backup_state(backup.state());
    let reason = if backup.reason.is_empty() { String::new() } else { format!(" [{}]", backup.reason) };
    format!("{} {state}{reason}", shown(backup.create_time.as_ref()))
}

fn last_drill(drill: &Drill) -> String {
    let problem = if drill.problem.is_empty() { String::new() } else { format!(": {}", drill.problem) };
    format!("{} {}{problem}", shown(drill.create_time.as_ref()), drill_state(drill.state()))
}

fn keep(policy: Option<&RetentionPolicy>) -> String {
    let Some(RetentionPolicy { daily, weekly, monthly, min }) = policy else { return "all".to_owned() };
    let counts = [("daily", daily), ("weekly", weekly), ("monthly", monthly), ("min", min)];
    let given = counts.iter().filter(|(_, count)| **count > 0);
    given.map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(",")
}
