//! The names in a query. promtool checks only whether a query is well-formed, not whether its metrics exist.

use std::collections::BTreeSet;

/// Words in the position of a metric that are not metrics.
const OPERATORS: [&str; 6] = ["and", "or", "unless", "offset", "bool", "inf"];
/// Words followed by a list of labels in parentheses.
const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Metrics and labels.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) metrics: BTreeSet<String>,
    pub(super) labels: BTreeSet<String>,
}

/// The names in `query`, which must be well-formed.
pub(super) fn names(query: &str) -> Names {
    let mut names = Names::default();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_alphabetic() || first == '_' {
            let (word, after) = split_word(rest);
            rest = after.trim_start();
            if GROUPING.contains(&word) {
                if let Some(list) = rest.strip_prefix('(') {
                    let (list, after) = list.split_once(')').unwrap();
                    names.labels.extend(list.split(',').map(|label| label.trim().to_owned()));
                    rest = after;
                }
            } else if !is_called(rest) && !OPERATORS.contains(&word) {
                names.metrics.insert(word.to_owned());
            }
        } else if first.is_ascii_digit() {
            // The number and its unit, as in `7d`.
            rest = split_word(rest).1;
        } else if first == '{' {
            rest = selector(&rest[1..], &mut names.labels);
        } else if first == '[' {
            rest = rest.split_once(']').unwrap().1;
        } else if first == '"' {
            rest = after_string(rest);
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    names
}

/// Whether the word before `rest` is a function: `rate(…)`, `sum by (…) (…)`.
fn is_called(rest: &str) -> bool {
    rest.starts_with('(') || ["by", "without"].contains(&split_word(rest).0)
}

fn split_word(text: &str) -> (&str, &str) {
    let is_in_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.split_at(text.find(|c| !is_in_word(c)).unwrap_or(text.len()))
}

/// Adds the selector's labels and returns the text after the selector.
fn selector<'a>(mut rest: &'a str, labels: &mut BTreeSet<String>) -> &'a str {
    loop {
        rest = rest.trim_start_matches([' ', ',', '=', '!', '~']);
        if let Some(after) = rest.strip_prefix('}') {
            return after;
        }
        if rest.starts_with('"') {
            rest = after_string(rest);
            continue;
        }
        let (label, after) = split_word(rest);
        assert!(!label.is_empty(), "a label was expected before {rest:?}");
        labels.insert(label.to_owned());
        rest = after;
    }
}

/// The text after the string that starts with the opening quotation mark of `text`.
fn after_string(text: &str) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &text[at + 1..],
            _ => {}
        }
    }
    panic!("a string has no end: {text}")
}

#[test]
fn metrics_and_labels_are_told_from_functions_operators_and_strings() {
    let query = r#"histogram_quantile(0.99, sum by (le, method) (rate(a_bucket{job=~"b{\"c", instance!="d"}[5m] offset 7d))) > 1e3
        and on (kid) (count(e) unless f:rate5m == bool 1) or absent(up)"#;
    let found = names(query);
    assert_eq!(found.metrics, ["a_bucket", "e", "f:rate5m", "up"].map(str::to_owned).into());
    assert_eq!(found.labels, ["instance", "job", "kid", "le", "method"].map(str::to_owned).into());
}
