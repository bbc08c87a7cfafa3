//! Drills for people.

use strongroom_api::backup::v1::{Drill, DrillCheck, DrillOutcome, DrillState};

use crate::commands::backup::with_reason;
use crate::output::{Table, key_values};
use crate::time::{shown, shown_length};

pub(super) fn table(drills: &[Drill]) -> Table {
    let mut table = Table::new(&["ID", "STARTED", "STATE", "SCHEDULE", "BACKUP", "PROBLEM"]);
    for drill in drills {
        table.row([
            &*drill.id,
            &shown(drill.create_time.as_ref()),
            state(drill.state()),
            &drill.schedule,
            &drill.backup_id,
            &problem(drill),
        ]);
    }
    table
}

pub(super) fn text(drill: &Drill) -> String {
    let mut lines = vec![
        ("id", drill.id.clone()),
        ("backup", drill.backup_id.clone()),
        ("file", drill.file_name.clone()),
        ("state", state(drill.state()).to_owned()),
        ("creator", drill.creator.clone()),
        ("started", shown(drill.create_time.as_ref())),
    ];
    for (name, text) in [
        ("ended", shown(drill.end_time.as_ref())),
        ("schedule", drill.schedule.clone()),
        ("problem", problem(drill)),
    ] {
        if !text.is_empty() {
            lines.push((name, text));
        }
    }
    if drill.checks.is_empty() {
        return key_values(lines);
    }
    format!("{}\n{}", key_values(lines), checks(&drill.checks))
}

fn checks(checks: &[DrillCheck]) -> String {
    let mut table = Table::new(&["CHECK", "SOURCE", "OUTCOME", "TIME", "WHAT"]);
    for check in checks {
        let what = if check.problem.is_empty() { &check.detail } else { &check.problem };
        table.row([
            &*check.name,
            &check.source,
            outcome(check.outcome()),
            &shown_length(check.duration.as_ref()),
            what,
        ]);
    }
    table.to_string()
}

fn problem(drill: &Drill) -> String {
    if drill.problem.is_empty() { String::new() } else { with_reason(&drill.problem, &drill.reason) }
}

pub(in crate::commands) fn state(state: DrillState) -> &'static str {
    match state {
        DrillState::Running => "running",
        DrillState::Passed => "passed",
        DrillState::Failed => "failed",
        DrillState::NotDone => "not done",
        DrillState::Unspecified => "unknown",
    }
}

fn outcome(outcome: DrillOutcome) -> &'static str {
    match outcome {
        DrillOutcome::Passed => "passed",
        DrillOutcome::Failed => "failed",
        DrillOutcome::Skipped => "skipped",
        DrillOutcome::Unspecified => "unknown",
    }
}
