//! What a verification has found, level by level.

use strongroom_api::backup::v1::verify_backup_response::{Column, Verdict};
use strongroom_api::backup::v1::{LevelVerdict, VerifyLevel, VerifyOutcome};
use strongroom_archive::Manifest;

use super::entries::Entries;
use crate::time::proto_time;

const LEVELS: [VerifyLevel; 4] =
    [VerifyLevel::Framing, VerifyLevel::Signature, VerifyLevel::Content, VerifyLevel::Values];

/// The verdict while it is made.
pub(super) struct Findings {
    verdict: Verdict,
    columns: Vec<Column>,
    /// A table with sealed values of which not all could be looked at.
    unread: Option<String>,
}

impl Findings {
    /// Of a file of `size` bytes, of which nothing else is known.
    pub(super) fn create(size: u64, sha256: String) -> Self {
        let skipped = VerifyOutcome::Skipped.into();
        let level = |level: VerifyLevel| LevelVerdict {
            level: level.into(),
            outcome: skipped,
            problem: String::new(),
        };
        let levels = LEVELS.map(level).to_vec();
        let verdict = Verdict { levels, size_bytes: size as i64, sha256, ..Verdict::default() };
        Self { verdict, columns: Vec::new(), unread: None }
    }

    /// It cannot be opened at all.
    pub(super) fn unreadable(&mut self, problem: String) {
        self.settle(VerifyLevel::Framing, Some(problem));
    }

    /// It was opened, and says this of itself.
    pub(super) fn describe(&mut self, manifest: &Manifest) {
        self.verdict.archive_id.clone_from(&manifest.archive_id);
        self.verdict.app_name.clone_from(&manifest.app_name);
        self.verdict.create_time = Some(proto_time(manifest.created_at.as_microsecond()));
    }

    pub(super) fn signed(&mut self, (outcome, problem): (VerifyOutcome, String)) {
        self.set(VerifyLevel::Signature, outcome, &problem);
    }

    /// All entries were looked at.
    pub(super) fn read(&mut self, entries: Entries) {
        let Entries { count, tables, rows, files, bad, problem, seal_problem, unread } = entries;
        let verdict = &mut self.verdict;
        (verdict.entries, verdict.tables, verdict.rows, verdict.files) = (count, tables, rows, files);
        self.settle(VerifyLevel::Framing, seal_problem);
        let told = || format!("{bad} of {count} entries are not as the manifest says; the first: {problem}");
        self.settle(VerifyLevel::Content, (bad > 0).then(told));
        self.unread = unread;
    }

    /// All values were asked about.
    pub(super) fn judged(&mut self, columns: Vec<Column>) {
        let sum = |of: fn(&Column) -> i64| columns.iter().map(of).sum::<i64>();
        let (values, fine) = (sum(|column| column.values), sum(|column| column.decryptable));
        self.verdict.values = values;
        let closed = || format!("{} of {values} sealed values would not open", values - fine);
        let unread =
            self.unread.take().map(|entry| format!("not every value of {entry:?} could be looked at"));
        self.settle(VerifyLevel::Values, (fine < values).then(closed).or(unread));
        self.columns = columns;
    }

    /// Whether every level has passed.
    pub(super) fn is_ok(&self) -> bool {
        let passed = i32::from(VerifyOutcome::Passed);
        self.verdict.levels.iter().all(|level| level.outcome == passed)
    }

    /// The verdict so far.
    pub(super) fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Values that would not open.
    pub(super) fn closed_values(&self) -> i64 {
        self.columns.iter().map(|column| column.undecryptable + column.unknown_kid).sum()
    }

    /// What the client is sent.
    pub(super) fn into_messages(self) -> (Vec<Column>, Verdict) {
        let ok = self.is_ok();
        (self.columns, Verdict { ok, ..self.verdict })
    }

    fn settle(&mut self, level: VerifyLevel, problem: Option<String>) {
        let outcome = if problem.is_some() { VerifyOutcome::Failed } else { VerifyOutcome::Passed };
        self.set(level, outcome, &problem.unwrap_or_default());
    }

    fn set(&mut self, level: VerifyLevel, outcome: VerifyOutcome, problem: &str) {
        let level = i32::from(level);
        for known in self.verdict.levels.iter_mut().filter(|known| known.level == level) {
            known.outcome = outcome.into();
            problem.clone_into(&mut known.problem);
        }
    }
}
