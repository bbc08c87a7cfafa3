//! The checks of a drill and their outcomes: stored as JSON with the drill, and in the audit log.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Maximum number of checks that are kept.
const MOST: usize = 1000;
/// Maximum length of a text in bytes: tables and columns may have any names.
const LONGEST: usize = 1000;

/// All checks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Evidence {
    pub(crate) checks: Vec<Check>,
    /// Number of rows that were restored and read back.
    pub(crate) rows: i64,
    /// The stable reason, and the message, of the error that ended the drill before everything was checked. Empty
    /// otherwise.
    pub(crate) reason: String,
    pub(crate) problem: String,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Check {
    pub(crate) name: String,
    /// Empty for a check of the whole backup.
    pub(crate) source: String,
    pub(crate) outcome: Outcome,
    /// The checked items, or the reason why nothing was checked.
    pub(crate) detail: String,
    /// The reason why it failed.
    pub(crate) problem: String,
    /// Duration in microseconds.
    pub(crate) took: i64,
}

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Passed,
    Failed,
    Skipped,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// The checked items.
    Passed(String),
    /// The checked items, and the problem.
    Failed(String, String),
    /// The reason why nothing was checked.
    Skipped(String),
}

impl Finding {
    /// Passed with `detail`, or failed because of the first of `problems`.
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
            // A failed check replaces one that has not failed.
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

    /// Records an error that prevents the remaining checks.
    pub(super) fn end(&mut self, error: &Error) {
        self.reason = error.reason().to_owned();
        self.problem = error.to_string();
    }

    /// A sentence about the failed checks; `None` if there are none.
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
