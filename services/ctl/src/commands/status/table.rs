//! The status for people.

use indicatif::HumanBytes;
use strongroom_api::status::v1::{DependencyState, ScheduleState, SourceState, Status, StoredBackups};

use super::look::Look;
use crate::output::Table;
use crate::time::shown;

/// Services, their dependencies, sources, destinations, stored backups, schedules, last operations and tampered rows; a
/// part without rows is left out.
pub(super) fn text(looks: &[Look]) -> String {
    let statuses = || looks.iter().filter_map(|look| Some((look, look.status.as_ref()?)));
    let mut parts = vec![services(looks).to_string()];
    if statuses().next().is_some() {
        parts.push(dependencies(statuses()).to_string());
    }
    for (_, status) in statuses() {
        if !status.sources.is_empty() {
            parts.push(states("SOURCE", &status.sources).to_string());
        }
        if !status.destinations.is_empty() {
            parts.push(states("DESTINATION", &status.destinations).to_string());
        }
        if let Some(stored) = &status.stored_backups {
            parts.push(stored_backups(stored).to_string());
        }
        if !status.schedules.is_empty() {
            parts.push(schedules(&status.schedules).to_string());
        }
        if !status.last_operations.is_empty() {
            parts.push(operations(status).to_string());
        }
        if !status.tampered_rows.is_empty() {
            parts.push(tampered(status).to_string());
        }
    }
    parts.join("\n")
}

fn services(looks: &[Look]) -> Table {
    let mut table = Table::new(&["SERVICE", "STATE", "VERSION", "RUNNING SINCE", "ADDRESS"]);
    for look in looks {
        let (version, since) = match &look.status {
            Some(status) => (status.version.clone(), shown(status.start_time.as_ref())),
            None => Default::default(),
        };
        table.row([look.name, look.found.words(), &version, &since, &look.url]);
    }
    table
}

fn dependencies<'a>(statuses: impl Iterator<Item = (&'a Look, &'a Status)>) -> Table {
    let mut table = Table::new(&["SERVICE", "DEPENDENCY", "STATE", "SINCE", "REASON"]);
    for (look, status) in statuses {
        for dependency in &status.dependencies {
            let (state, since) = (words(dependency.state()), shown(dependency.since_time.as_ref()));
            table.row([look.name, &dependency.name, state, &since, &dependency.reason]);
        }
    }
    table
}

/// The states of sources or destinations.
fn states(heading: &str, states: &[SourceState]) -> Table {
    let mut table = Table::new(&[heading, "KIND", "STATE", "SINCE", "REASON"]);
    for found in states {
        let (state, since) = (words(found.state()), shown(found.since_time.as_ref()));
        table.row([&found.name, &found.kind, state, &since, &found.reason]);
    }
    table
}

fn stored_backups(stored: &StoredBackups) -> Table {
    let mut table =
        Table::new(&["STORED BACKUPS", "FAILED", "UNVERIFIED", "SIZE", "LAST STORED", "LAST VERIFIED"]);
    let time = |time: Option<&prost_types::Timestamp>| match time {
        Some(_) => shown(time),
        None => "never".to_owned(),
    };
    table.row([
        stored.available.to_string(),
        stored.failed.to_string(),
        stored.unverified.to_string(),
        HumanBytes(stored.bytes.unsigned_abs()).to_string(),
        time(stored.last_stored_time.as_ref()),
        time(stored.last_verified_time.as_ref()),
    ]);
    table
}

fn schedules(schedules: &[ScheduleState]) -> Table {
    let mut table =
        Table::new(&["SCHEDULE", "STATE", "NEXT", "NEWEST STORED", "NEWEST VERIFIED", "LAST DRILL"]);
    for schedule in schedules {
        let drill = match (&schedule.last_drill_time, schedule.last_drill_passed) {
            (None, _) => String::new(),
            (time, true) => format!("{} passed", shown(time.as_ref())),
            (time, false) => format!("{} failed", shown(time.as_ref())),
        };
        table.row([
            &*schedule.name,
            &schedule.state,
            &shown(schedule.next_start_time.as_ref()),
            &shown(schedule.last_stored_time.as_ref()),
            &shown(schedule.last_verified_time.as_ref()),
            &drill,
        ]);
    }
    table
}

fn operations(status: &Status) -> Table {
    let mut table = Table::new(&["LAST", "OUTCOME", "ENDED", "LAST SUCCESS", "FILE"]);
    for last in &status.last_operations {
        let outcome = match (last.succeeded, last.reason.as_str()) {
            (true, _) => "succeeded",
            (false, "") => "found damage",
            (false, reason) => reason,
        };
        let (ended, success) = (shown(last.end_time.as_ref()), shown(last.success_time.as_ref()));
        table.row([&last.kind, outcome, &ended, &success, &last.target]);
    }
    table
}

fn tampered(status: &Status) -> Table {
    let mut table = Table::new(&["TAMPERED IN", "ROW"]);
    for row in &status.tampered_rows {
        table.row([&row.table, &row.row]);
    }
    table
}

fn words(state: DependencyState) -> &'static str {
    match state {
        DependencyState::Ok => "ok",
        DependencyState::Failing => "failing",
        DependencyState::Starting => "starting",
        DependencyState::Unspecified => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;
    use strongroom_api::status::v1::Dependency;

    use super::super::look::Found;
    use super::*;

    #[test]
    fn a_service_is_shown_without_the_other() {
        let dependency = Dependency {
            name: "database".into(),
            state: DependencyState::Failing.into(),
            reason: "away\n\u{1b}[2J".into(),
            since_time: None,
        };
        let status = Status { dependencies: vec![dependency], ..Status::default() };
        let look = |name, found, status| Look {
            name,
            url: format!("http://{name}:1"),
            found,
            problem: String::new(),
            status,
        };
        let shown =
            text(&[look("vault", Found::NotReady, Some(status)), look("backup", Found::Unreachable, None)]);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[1].starts_with("vault") && lines[1].contains("not ready"), "{shown}");
        assert!(lines[2].starts_with("backup") && lines[2].contains("not reachable"), "{shown}");
        assert!(lines[5].contains("database") && lines[5].ends_with("away\\n\\u{1b}[2J"), "{shown}");
    }

    fn look(status: Status) -> Look {
        Look {
            name: "backup",
            url: "http://backup:1".into(),
            found: Found::Ready,
            problem: String::new(),
            status: Some(status),
        }
    }

    #[test]
    fn a_destination_that_cannot_be_used_is_shown_with_its_reason() {
        let state = |name: &str, kind: &str, state: DependencyState, reason: &str| SourceState {
            name: name.into(),
            kind: kind.into(),
            state: state.into(),
            reason: reason.into(),
            since_time: None,
        };
        let destinations = vec![
            state("disk", "folder", DependencyState::Ok, ""),
            state("offsite", "bucket", DependencyState::Failing, "the bucket\u{1b} is missing"),
        ];
        let shown = text(&[look(Status { destinations, ..Status::default() })]);
        let line =
            |name: &str| shown.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        assert!(line("DESTINATION").contains("REASON"), "{shown}");
        assert!(line("disk").contains("folder") && line("disk").contains("ok"), "{shown}");
        assert!(line("offsite").contains("bucket") && line("offsite").contains("failing"), "{shown}");
        assert!(line("offsite").ends_with("the bucket\\u{1b} is missing"), "{shown}");
        assert!(!shown.contains("STORED BACKUPS"), "the catalogue was not read yet: {shown}");
    }

    #[test]
    fn stored_backups_are_counted_and_a_time_that_never_came_is_never() {
        let stored = StoredBackups {
            available: 12,
            failed: 3,
            unverified: 1,
            bytes: 5 << 20,
            last_stored_time: Some(Timestamp { seconds: 1_767_225_600, nanos: 0 }),
            last_verified_time: None,
        };
        let shown = text(&[look(Status { stored_backups: Some(stored), ..Status::default() })]);
        let mut lines = shown.lines().skip_while(|line| !line.starts_with("STORED BACKUPS"));
        let heading = lines.next().unwrap_or_default();
        assert_eq!(
            heading.split_whitespace().collect::<Vec<_>>().join(" "),
            "STORED BACKUPS FAILED UNVERIFIED SIZE LAST STORED LAST VERIFIED"
        );
        let row: Vec<_> = lines.next().unwrap_or_default().split_whitespace().collect();
        assert_eq!(row.join(" "), "12 3 1 5.00 MiB 2026-01-01T00:00:00Z never");
    }
}
