//! The findings of a verification, level by level.

use strongroom_api::backup::v1::verify_backup_response::{Column, Verdict};
use strongroom_api::backup::v1::{LevelVerdict, VerifyLevel, VerifyOutcome};
use strongroom_api::time::timestamp;
use strongroom_archive::Manifest;

use super::entries::Entries;
use super::sealed_texts::SealedTexts;
use crate::incoming::shown;
use crate::left_out::LeftOuts;

const LEVELS: [VerifyLevel; 4] =
    [VerifyLevel::Framing, VerifyLevel::Signature, VerifyLevel::Content, VerifyLevel::Values];

/// Maximum number of dangling references that are named.
const MOST_DANGLING: usize = 100;

/// Reported for an archive of a release that did not declare columns yet.
const UNDECLARED: &str = "the manifest names key versions, but not the columns that hold the values sealed \
    with them: no value could be checked; a new export declares them";

/// The verdict in progress.
pub(crate) struct Findings {
    verdict: Verdict,
    columns: Vec<Column>,
    /// A table with sealed values that could not all be read.
    unread: Option<String>,
    /// The archive contains sealed values, but does not declare their columns.
    is_undeclared: bool,
    sealed_texts: SealedTexts,
    is_sealed: bool,
}

impl Findings {
    /// For a file of `size` bytes; nothing else is known yet.
    pub(super) fn create(size: u64, sha256: String) -> Self {
        let skipped = VerifyOutcome::Skipped.into();
        let level = |level: VerifyLevel| LevelVerdict {
            level: level.into(),
            outcome: skipped,
            problem: String::new(),
        };
        let levels = LEVELS.map(level).to_vec();
        let verdict = Verdict { levels, size_bytes: size as i64, sha256, ..Verdict::default() };
        Self {
            verdict,
            columns: Vec::new(),
            unread: None,
            is_undeclared: false,
            sealed_texts: SealedTexts::default(),
            is_sealed: false,
        }
    }

    /// The file cannot be opened at all.
    pub(super) fn unreadable(&mut self, problem: String) {
        self.settle(VerifyLevel::Framing, Some(problem));
    }

    /// The file's seal cannot be opened here.
    pub(super) fn sealed(&mut self, problem: String) {
        self.is_sealed = true;
        self.unreadable(problem);
    }

    /// The file was opened: copies the archive's id, application, time and omissions from its manifest.
    pub(super) fn describe(&mut self, manifest: &Manifest) {
        self.verdict.archive_id = shown(&manifest.archive_id);
        self.verdict.app_name = shown(&manifest.app_name);
        self.verdict.create_time = Some(timestamp(manifest.created_at.as_microsecond()));
        let left_outs = LeftOuts::of(&manifest.sources);
        (self.verdict.left_out, self.verdict.left_out_total) = left_outs.into_parts();
        self.is_undeclared = manifest.encrypted_columns.is_empty() && !manifest.kids.is_empty();
    }

    /// Checks that the file has this SHA-256.
    pub(super) fn compare(&mut self, sha256: &str) {
        if self.verdict.sha256 != sha256 {
            let problem = format!("it is not the file that was stored, whose SHA-256 is {sha256}");
            self.set(VerifyLevel::Framing, VerifyOutcome::Failed, &problem);
        }
    }

    pub(super) fn signed(&mut self, (outcome, problem): (VerifyOutcome, String)) {
        self.set(VerifyLevel::Signature, outcome, &problem);
    }

    /// All entries were read.
    pub(super) fn read(&mut self, entries: Entries) {
        let Entries {
            count,
            tables,
            rows,
            files,
            bad,
            problem,
            framing_problem,
            unread,
            references,
            sealed_texts,
        } = entries;
        self.sealed_texts = sealed_texts;
        let verdict = &mut self.verdict;
        (verdict.entries, verdict.tables, verdict.rows, verdict.files) = (count, tables, rows, files);
        self.settle(VerifyLevel::Framing, framing_problem);
        let told = || format!("{bad} of {count} entries do not match the manifest; the first: {problem}");
        let dangling = || references.dangling.iter().find(|one| one.is_enforced).map(ToString::to_string);
        self.settle(VerifyLevel::Content, (bad > 0).then(told).or_else(dangling));
        let verdict = &mut self.verdict;
        verdict.references_checked = references.checked as i64;
        verdict.references_unchecked = references.unchecked as i64;
        verdict.dangling_total = references.dangling.len() as i64;
        let some = references.dangling.iter().take(MOST_DANGLING);
        verdict.dangling = some.map(|one| shown(&one.to_string())).collect();
        self.unread = unread;
    }

    /// The vault was asked about all values.
    pub(super) fn judged(&mut self, columns: Vec<Column>) {
        if self.is_undeclared {
            return self.set(VerifyLevel::Values, VerifyOutcome::Skipped, UNDECLARED);
        }
        let sum = |of: fn(&Column) -> i64| columns.iter().map(of).sum::<i64>();
        let (values, fine) = (sum(|column| column.values), sum(|column| column.decryptable));
        self.verdict.values = values;
        let closed = || format!("{} of {values} sealed values would not open", values - fine);
        let unread = self.unread.take().map(|entry| format!("not every value of {entry:?} could be checked"));
        self.settle(VerifyLevel::Values, (fine < values).then(closed).or(unread));
        self.columns = columns;
    }

    /// Whether every level passed.
    pub(crate) fn is_ok(&self) -> bool {
        let passed = i32::from(VerifyOutcome::Passed);
        self.verdict.levels.iter().all(|level| level.outcome == passed)
    }

    /// The verdict so far.
    pub(crate) fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Whether its seal cannot be opened here, whatever its contents.
    pub(crate) fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    /// Number of values that would not open.
    pub(crate) fn closed_values(&self) -> i64 {
        self.values_in(|_| true).1
    }

    /// Number of values of some tables, and how many of them would not open.
    pub(crate) fn values_in(&self, has: impl Fn(&str) -> bool) -> (i64, i64) {
        let columns = self.columns.iter().filter(|column| has(&column.table));
        columns.fold((0, 0), |(values, closed), column| {
            (values + column.values, closed + column.undecryptable + column.unknown_kid)
        })
    }

    /// Texts that look like sealed values, in undeclared columns.
    pub(crate) fn sealed_texts(&self) -> &SealedTexts {
        &self.sealed_texts
    }

    /// The messages for the client.
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use strongroom_archive::ManifestHead;
    use strongroom_testkit::archives::{head, writer};

    use super::*;

    fn manifest(kids: &[&str]) -> Manifest {
        let kids = kids.iter().map(|kid| (*kid).to_owned()).collect();
        writer().finish(ManifestHead { kids, ..head(Vec::new()) }).unwrap().0
    }

    #[test]
    fn values_that_were_not_looked_at_have_not_passed() {
        for (kids, passes) in [(&[][..], true), (&["00112233445566ff"], false)] {
            let mut findings = Findings::create(1, String::new());
            findings.describe(&manifest(kids));
            findings.signed((VerifyOutcome::Passed, String::new()));
            findings.read(Entries::default());
            findings.judged(Vec::new());
            assert_eq!(findings.is_ok(), passes);
            assert_eq!(findings.verdict().levels[3].problem.is_empty(), passes);
        }
    }
}
