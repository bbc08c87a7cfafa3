//! The dashboards: their Grafana format as far as it can be checked without Grafana, and their queries.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use e2e::{finish, repository};
use serde_json::{Value, json};

use super::{PATIENCE, assert_described, described, promtool, rules};

const NAMES: [&str; 2] = ["vault", "backup"];
/// Width of Grafana's grid.
const COLUMNS: u64 = 24;

fn dashboard(name: &str) -> Value {
    let path = repository().join(format!("helm/strongroom/files/dashboards/{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// All panels except row titles.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text was expected: {value}"))
}

/// Title and query of each panel, with values in place of Grafana's variables.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for panel in panels(dashboard) {
        for target in panel["targets"].as_array().unwrap() {
            let query = text(&target["expr"]).replace("$__rate_interval", "5m").replace("$__range", "6h");
            queries.push((text(&panel["title"]).to_owned(), query));
        }
    }
    queries
}

#[test]
fn queries_are_accepted_and_ask_for_what_is_described() {
    let families = described();
    for name in NAMES {
        let queries = queries(&dashboard(name));
        for (title, query) in &queries {
            assert_described(&families, &format!("{name}: {title}"), query);
        }
        let rule = |(at, (_, query)): (usize, &(String, String))| json!({"record": format!("panel:{at}"), "expr": query});
        let rules: Vec<Value> = queries.iter().enumerate().map(rule).collect();
        let Some(mut promtool) = promtool() else { return };
        // JSON is YAML.
        let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
        std::fs::write(&file, json!({"groups": [{"name": name, "rules": rules}]}).to_string()).unwrap();
        let _ = finish(promtool.args(["check", "rules"]).arg(file.path()), b"", PATIENCE).succeeded();
    }
}

#[test]
fn every_panel_is_described_has_a_unit_and_a_place_of_its_own() {
    for name in NAMES {
        let dashboard = dashboard(name);
        assert_eq!(dashboard["uid"], format!("strongroom-{name}"));
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = text(&panel["title"]);
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: the id of {title} is taken");
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
            assert!(x + w <= COLUMNS, "{name}: {title} is too wide");
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{name}: {title} covers another panel at {cell:?}");
            }
        }
        for panel in panels(&dashboard) {
            let title = text(&panel["title"]);
            assert!(text(&panel["description"]).ends_with('.'), "{name}: {title} has no description");
            assert!(!text(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(), "{name}: {title}");
            let letters: Vec<_> =
                panel["targets"].as_array().unwrap().iter().map(|it| text(&it["refId"])).collect();
            assert_eq!(letters.iter().collect::<BTreeSet<_>>().len(), letters.len(), "{name}: {title}");
        }
    }
}

/// Collects every `datasource` in `value`: of panels, queries and variables.
fn add_sources<'a>(value: &'a Value, sources: &mut Vec<&'a Value>) {
    match value {
        Value::Object(object) => {
            sources.extend(object.get("datasource"));
            object.values().for_each(|value| add_sources(value, sources));
        }
        Value::Array(values) => values.iter().for_each(|value| add_sources(value, sources)),
        _ => {}
    }
}

#[test]
fn a_variable_chooses_the_data_source_and_every_variable_exists() {
    for name in NAMES {
        let dashboard = dashboard(name);
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        let variables: BTreeSet<&str> = variables.iter().map(|variable| text(&variable["name"])).collect();
        for needed in ["datasource", "namespace", "job", "instance"] {
            assert!(variables.contains(needed), "{name} has no variable {needed}");
        }
        let mut sources = Vec::new();
        add_sources(&dashboard, &mut sources);
        assert!(sources.len() > 50, "{name} has {} sources", sources.len());
        for source in sources {
            assert_eq!(source["uid"], "${datasource}", "{name}: {source}");
        }
        let whole = dashboard.to_string();
        for used in whole.split('$').skip(1) {
            let used = used.trim_start_matches('{');
            let used = used.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
            assert!(used.starts_with("__") || variables.contains(used), "{name} uses a variable {used}");
        }
    }
}

#[test]
fn panels_name_alerts_that_exist_and_every_alert_has_a_panel() {
    let mut descriptions = String::new();
    for panel in NAMES.map(dashboard).iter().flat_map(panels) {
        write!(descriptions, " {}", text(&panel["description"])).unwrap();
    }
    let words = descriptions.split(|c: char| !c.is_ascii_alphanumeric());
    let named: BTreeSet<&str> =
        words.filter(|word| word.starts_with("Strongroom") && *word != "Strongroom").collect();
    let rules = rules::all();
    let alerts: BTreeSet<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(named, alerts);
}
