//! The status for people.

use strongroom_api::status::v1::{DependencyState, Status};

use super::look::Look;
use crate::output::Table;
use crate::time::shown;

/// Services, their dependencies, sources, last operations and tampered rows; a part without rows is left out.
pub(super) fn text(looks: &[Look]) -> String {
    let statuses = || looks.iter().filter_map(|look| Some((look, look.status.as_ref()?)));
    let mut parts = vec![services(looks).to_string()];
    if statuses().next().is_some() {
        parts.push(dependencies(statuses()).to_string());
    }
    for (_, status) in statuses() {
        if !status.sources.is_empty() {
            parts.push(sources(status).to_string());
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

fn sources(status: &Status) -> Table {
    let mut table = Table::new(&["SOURCE", "KIND", "STATE", "SINCE", "REASON"]);
    for source in &status.sources {
        let (state, since) = (words(source.state()), shown(source.since_time.as_ref()));
        table.row([&source.name, &source.kind, state, &since, &source.reason]);
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
}
