//! The chart's README lists every value with its key, default and description from values.yaml.

use std::time::Duration;

use e2e::chart::Chart;
use e2e::finish;
use serde_json::Value;

const BEGIN: &str = "<!-- values.yaml as a table: begin -->\n";
const END: &str = "<!-- values.yaml as a table: end -->\n";

const YAML_TO_JSON: &str = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)";

#[test]
fn its_table_is_that_of_the_values() {
    let Some(chart) = Chart::open() else { return };
    let yaml = std::fs::read_to_string(chart.folder().join("values.yaml")).unwrap();
    let to_json = ["-c", YAML_TO_JSON];
    let defaults = finish(chart.tool("python3").args(to_json), yaml.as_bytes(), Duration::from_secs(60));
    let expected = table(&yaml, &defaults.succeeded().json());
    let file = chart.folder().join("README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    if std::env::var_os("STRONGROOM_WRITE_DOCS").is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        return;
    }
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected, "STRONGROOM_WRITE_DOCS=1 writes the table");
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "STRONGROOM_WRITE_DOCS=1 writes the table");
}

fn table(yaml: &str, defaults: &Value) -> String {
    let mut table = String::from("\n| key | default | meaning |\n|---|---|---|\n");
    for (key, meaning) in described(yaml) {
        let default = defaults.pointer(&format!("/{}", key.replace('.', "/")));
        let default = default.unwrap_or_else(|| panic!("{key} is not in values.yaml"));
        table.push_str(&format!("| `{key}` | `{default}` | {} |\n", meaning.replace('|', "\\|")));
    }
    table.push('\n');
    table
}

/// Keys with the comment above them, which starts with `# --`. A key below a described key needs no comment.
fn described(yaml: &str) -> Vec<(String, String)> {
    let mut described = Vec::new();
    let mut parents: Vec<(usize, &str, bool)> = Vec::new();
    let mut comment: Option<String> = None;
    for line in yaml.lines() {
        let text = line.trim_start();
        if let Some(first) = text.strip_prefix("# -- ") {
            comment = Some(first.to_owned());
        } else if let Some(next) = text.strip_prefix("# ") {
            comment = comment.map(|comment| format!("{comment} {next}"));
        } else if let Some((key, value)) = text.split_once(':').filter(|_| !text.starts_with('-')) {
            let indent = line.len() - text.len();
            parents.retain(|(of_parent, ..)| *of_parent < indent);
            let is_covered = parents.iter().any(|(.., covered)| *covered);
            let path: Vec<&str> = parents.iter().map(|(_, key, _)| *key).chain([key]).collect();
            let path = path.join(".");
            assert!(is_covered || comment.is_some() || value.is_empty(), "{path} has no description");
            parents.push((indent, key, is_covered || comment.is_some()));
            described.extend(comment.take().map(|meaning| (path, meaning)));
        }
    }
    described
}

#[test]
fn a_value_without_a_description_is_found() {
    let rows = described("# -- A.\n# More.\na: 1\nb:\n  # -- C.\n  c:\n    d: 1\n  # -- E.\n  e: []\n");
    let keys: Vec<(&str, &str)> = rows.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    assert_eq!(keys, [("a", "A. More."), ("b.c", "C."), ("b.e", "E.")]);
    assert!(std::panic::catch_unwind(|| described("b:\n  c: 1\n")).is_err());
}
