//! What a drill has checked, and how each check has ended: kept as JSON with the drill, and in the audit log.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Checks that are kept.
const MOST: usize = 1000;
/// Bytes of a text that is kept: tables and columns may have any names.
const LONGEST: usize = 1000;

/// Everything that was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Evidence {
    pub(crate) checks: Vec<Check>,
    /// Rows that were restored and read again.
    pub(crate) rows: i64,
    /// What ended the drill before everything was checked: stable, and for people. Empty otherwise.
    pub(crate) reason: String,
    pub(crate) problem: String,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Check {
    pub(crate) name: String,
    /// Empty for one of the whole backup.
    pub(crate) source: String,
    pub(crate) outcome: Outcome,
    /// What was checked, or why it was not.
    pub(crate) detail: String,
    /// Why it has failed.
    pub(crate) problem: String,
    /// Microseconds.
    pub(crate) took: i64,
}

/// How a check has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Passed,
    Failed,
    Skipped,
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// What was looked at.
    Passed(String),
    /// What was looked at, and what is wrong with it.
    Failed(String, String),
    /// Why nothing was looked at.
    Skipped(String),
}

impl Finding {
    /// Of `detail`, failed by the first of `problems`.
    pub(super) fn of(detail: String, problems: &[String]) -> Self {
        match problems {
            [] => Self::Passed(detail),
            [only] => Self::Failed(detail, only.clone()),
            [first, rest @ ..] => Self::Failed(detail, format!("{first}; and {} more", rest.len())),
        }
    }
}

impl Evidence {
    /// Adds a check that began at `began`.
    pub(super) fn add(&mut self, (name, source): (&str, &str), finding: Finding, began: Instant) {
        if self.checks.len() >= MOST {
            // What has failed takes the place of what has not.
            let other = self.checks.iter().rposition(|check| check.outcome != Outcome::Failed);
            match other.filter(|_| matches!(finding, Finding::Failed(..))) {
                Some(at) => drop(self.checks.remove(at)),
                None => return,
            }
        }
        let (outcome, detail, problem) = match finding {
            Finding::Passed(detail) => (Outcome::Passed, detail, String::new()),
            Finding::Failed(detail, problem) => (Outcome::Failed, detail, problem),
            Finding::Skipped(reason) => (Outcome::Skipped, reason, String::new()),
        };
        self.checks.push(Check {
            name: name.to_owned(),
            source: source.to_owned(),
            outcome,
            detail: shortened(detail),
            problem: shortened(problem),
            took: i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX),
        });
    }

    /// Something keeps it from finding out the rest.
    pub(super) fn end(&mut self, error: &Error) {
        self.reason = error.reason().to_owned();
        self.problem = error.to_string();
    }

    /// A sentence about the checks that have failed; none where all are well.
    pub(super) fn problem(&self) -> Option<String> {
        let failed: Vec<&Check> =
            self.checks.iter().filter(|check| check.outcome == Outcome::Failed).collect();
        let first = failed.first()?;
        let of = if first.source.is_empty() { String::new() } else { format!(" of {}", first.source) };
        let more = match failed.len() - 1 {
            0 => String::new(),
            1 => " (one more check has failed)".to_owned(),
            more => format!(" ({more} more checks have failed)"),
        };
        Some(format!("{}{of}: {}{more}", first.name, first.problem))
    }

    /// Whether a source was restored.
    pub(super) fn has_restored(&self) -> bool {
        self.checks.iter().any(|check| check.name == "restore" && check.outcome == Outcome::Passed)
    }
}

/// `1 table`, `2 tables`.
pub(super) fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

fn shortened(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}
