//! Alert rules, their chapters in docs/alerts.md and their test cases match, and all metrics in rules and dashboards
//! exist.

mod dashboards;
mod docs;
mod promql;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use e2e::{finish, repository, tool};

/// Time limit on a loaded machine; cases that span weeks take seconds each.
const PATIENCE: Duration = Duration::from_secs(120);

/// Prometheus' own metrics.
const PROMETHEUS: [&str; 2] = ["up", "ALERTS"];
/// Labels added by scraping, by Prometheus or by an outer Prometheus.
const OUTER_LABELS: [&str; 7] = ["alertname", "alertstate", "cluster", "instance", "job", "le", "namespace"];

/// Metrics for which docs/metrics.md recommends an alert that no general rule can express, and why.
const NO_RULE: [(&str, &str); 2] = [
    ("strongroom_rpc_duration_seconds", "only the operator knows what was promised"),
    ("process_resident_memory_bytes", "only the operator knows the limit"),
];

/// A metric family of docs/metrics.md.
struct Family {
    kind: String,
    labels: BTreeSet<String>,
    /// Whether the page recommends an alert.
    alert: bool,
}

fn described() -> BTreeMap<String, Family> {
    let page = std::fs::read_to_string(repository().join("docs/metrics.md")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').map(str::trim).collect();
        let labels = cells.get(2)?.split(',').map(|label| label.trim().trim_matches('`').to_owned());
        let family = Family {
            kind: (*cells.get(1)?).to_owned(),
            labels: labels.collect(),
            alert: !cells.get(4)?.is_empty(),
        };
        Some((cells[0].trim_end_matches('`').to_owned(), family))
    };
    page.lines().filter_map(row).collect()
}

/// The family of a series name: that of `x_bucket` is the histogram `x`.
fn family<'a>(families: &BTreeMap<String, Family>, series: &'a str) -> Option<&'a str> {
    let histogram = ["_bucket", "_sum", "_count"].into_iter().find_map(|part| series.strip_suffix(part));
    let histogram = histogram.filter(|name| families.get(*name).is_some_and(|it| it.kind == "histogram"));
    histogram.or_else(|| families.contains_key(series).then_some(series))
}

/// Fails unless docs/metrics.md describes every metric and label of `query`.
fn assert_described(families: &BTreeMap<String, Family>, what: &str, query: &str) {
    let labels: BTreeSet<&str> =
        families.values().flat_map(|it| &it.labels).map(String::as_str).chain(OUTER_LABELS).collect();
    let names = promql::names(query);
    assert!(!names.metrics.is_empty(), "{what} asks for nothing: {query}");
    for metric in &names.metrics {
        let known = PROMETHEUS.contains(&metric.as_str()) || family(families, metric).is_some();
        assert!(known, "{what}: docs/metrics.md does not describe {metric}: {query}");
    }
    for label in &names.labels {
        assert!(labels.contains(label.as_str()), "{what}: no metric has the label {label}: {query}");
    }
}

fn promtool() -> Option<Command> {
    tool::tool("promtool")
}

#[test]
fn rules_are_accepted_and_ask_for_what_is_described() {
    let families = described();
    let rules = rules::all();
    for rule in &rules {
        assert_described(&families, &rule.name, &rule.expr);
    }
    let asked: BTreeSet<String> = rules.iter().flat_map(|rule| promql::names(&rule.expr).metrics).collect();
    let asked: BTreeSet<&str> = asked.iter().filter_map(|series| family(&families, series)).collect();
    let without = |(name, family): &(&String, &Family)| family.alert && !asked.contains(name.as_str());
    let without: BTreeSet<&str> = families.iter().filter(without).map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        without,
        NO_RULE.map(|(name, _)| name).into(),
        "recommended by docs/metrics.md, without a rule"
    );
    let Some(mut promtool) = promtool() else { return };
    let checked = finish(promtool.args(["check", "rules"]).arg(rules::path()), b"", PATIENCE).succeeded();
    assert!(checked.said().contains(&format!("{} rules found", rules.len())), "{}", checked.said());
}

/// The files that `promtool test rules` reads.
fn cases() -> Vec<PathBuf> {
    let folder = repository().join("tests/e2e/alerts");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

#[test]
fn every_alert_is_shown_firing_and_silent() {
    let mut silent = BTreeSet::new();
    let mut firing: BTreeMap<String, String> = BTreeMap::new();
    for file in cases() {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut lines = text.lines().map(str::trim).peekable();
        while let Some(line) = lines.next() {
            let Some(alert) = line.strip_prefix("- expr: ALERTS{alertname=\"") else { continue };
            let alert = alert.split('"').next().unwrap().to_owned();
            let expected = lines.find(|line| line.starts_with("exp_samples:")).unwrap();
            if expected == "exp_samples: []" {
                silent.insert(alert);
            } else {
                firing.insert(alert, (*lines.peek().unwrap()).to_owned());
            }
        }
    }
    for rule in rules::all() {
        assert!(silent.contains(&rule.name), "{} has no case in which it is silent", rule.name);
        let Some(labels) = firing.get(&rule.name) else {
            panic!("{} has no case in which it fires", rule.name)
        };
        assert!(labels.contains(&format!("severity=\"{}\"", rule.severity)), "{labels}");
        for text in rule.annotations.values() {
            for label in text.split("$labels.").skip(1).map(|rest| rest.split(' ').next().unwrap()) {
                assert!(
                    labels.contains(&format!("{label}=\"")),
                    "{} has no label {label}: {labels}",
                    rule.name
                );
            }
        }
    }
}

#[test]
fn promtool_agrees_with_every_case() {
    if promtool().is_none() {
        return;
    }
    std::thread::scope(|scope| {
        for file in cases() {
            scope.spawn(move || {
                let mut promtool = promtool().unwrap();
                let _ = finish(promtool.args(["test", "rules"]).arg(file), b"", PATIENCE).succeeded();
            });
        }
    });
}
