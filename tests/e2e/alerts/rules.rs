//! helm/strongroom/files/rules.yaml, read line by line: the file keeps to one plain format, and promtool checks the
//! YAML.

use std::collections::BTreeMap;
use std::path::PathBuf;

use e2e::repository;

/// One alert.
#[derive(Default)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) expr: String,
    pub(super) severity: String,
    pub(super) annotations: BTreeMap<String, String>,
}

pub(super) fn path() -> PathBuf {
    repository().join("helm/strongroom/files/rules.yaml")
}

/// All alerts in file order.
pub(super) fn all() -> Vec<Rule> {
    let text = std::fs::read_to_string(path()).unwrap();
    let mut rules: Vec<Rule> = Vec::new();
    let mut in_expr = false;
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if let Some(name) = line.strip_prefix("      - alert: ") {
            rules.push(Rule { name: name.to_owned(), ..Rule::default() });
            in_expr = false;
            continue;
        }
        let Some(rule) = rules.last_mut() else { continue };
        // Keys of a rule are indented by eight spaces, block lines and annotations by ten.
        let key = line.strip_prefix("        ").filter(|rest| !rest.starts_with(' '));
        if let Some(expr) = key.and_then(|key| key.strip_prefix("expr: ")) {
            in_expr = expr == "|";
            rule.expr = if in_expr { String::new() } else { expr.to_owned() };
        } else if key.is_some() {
            in_expr = false;
        } else if in_expr {
            rule.expr.push_str(line.trim_start());
            rule.expr.push('\n');
        } else if let Some((key, value)) = line.strip_prefix("          ").and_then(|it| it.split_once(": "))
        {
            let value = value.trim_matches('\'').to_owned();
            if key == "severity" {
                rule.severity = value;
            } else {
                rule.annotations.insert(key.to_owned(), value);
            }
        }
    }
    assert!(rules.len() > 30, "{} rules were found", rules.len());
    rules
}

#[test]
fn every_rule_says_how_bad_it_is_and_where_to_read_on() {
    for Rule { name, severity, annotations, .. } in all() {
        assert!(["warning", "critical"].contains(&severity.as_str()), "{name}: severity {severity:?}");
        let keys: Vec<&str> = annotations.keys().map(String::as_str).collect();
        assert_eq!(keys, ["description", "runbook", "summary"], "{name}");
        assert_eq!(annotations["runbook"], format!("docs/alerts.md#{}", name.to_lowercase()));
        assert!(
            !annotations["summary"].ends_with('.') && annotations["description"].ends_with('.'),
            "{name}"
        );
    }
}
