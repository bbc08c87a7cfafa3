//! The work of one drill, from the stored file to its last check.
//!
//! A failed check does not end it: evidence of everything says more than the first fault. Only errors that prevent a
//! check end it, such as an unavailable server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use strongroom_api::backup::v1::verify_backup_response::{Entry, Progress};
use strongroom_api::backup::v1::{VerifyLevel, VerifyOutcome};
use strongroom_archive::manifest::SourceRecord;
use strongroom_runtime::failpoint;
use strongroom_store::{DatabaseUrl, Engine};
use strongroom_tables::scratch::Scratch;
use tokio_util::sync::CancellationToken;

use super::evidence::{Evidence, Finding, counted};
use super::scratch::{check_is_nobodys, name_of, no_place};
use super::{Base, assertions, outside};
use crate::backups::record::{Content, to_json};
use crate::error::{Error, Result};
use crate::incoming::Staged;
use crate::restore::{NotRestored, Origin, Part, databases};
use crate::store::{DrillRow, OperationRow, ScratchRow};
use crate::verification::{Findings, Listener, Reporter};

/// Time limit for the progress of a verification without a listener.
const STALL: Duration = Duration::from_secs(60);

/// One drill.
pub(super) struct Drilling {
    pub(super) base: Base,
    pub(super) row: DrillRow,
    /// The catalogue's record of the backup's content.
    pub(super) content: Content,
    /// The evidence so far, shared with the code that ends the drill.
    pub(super) found: Arc<Mutex<Evidence>>,
}

impl Drilling {
    /// Checks everything, or as much as possible, and stores the evidence under `operation`.
    ///
    /// # Errors
    /// [`Error::Fenced`], and the store's errors.
    pub(super) async fn run(&self, operation: &OperationRow, stop: CancellationToken) -> Result<Evidence> {
        match self.check_everything(stop).await {
            Err(Error::Fenced) => return Err(Error::Fenced),
            Err(error) => self.found().end(&error),
            Ok(()) => {}
        }
        let evidence = self.found().clone();
        let checked = DrillRow { evidence: to_json(&evidence), ..self.row.clone() };
        if !self.base.store.keep_evidence(&checked, operation).await? {
            return Err(Error::Fenced);
        }
        failpoint::reached("drill.checked");
        Ok(evidence)
    }

    async fn check_everything(&self, stop: CancellationToken) -> Result<()> {
        let origin = Origin::Backup(self.row.backup_id.clone());
        let began = Instant::now();
        let fetched = match self.base.archives.fetch(&self.row.creator, &origin, |_| {}).await {
            Err(error) if error.is_damage() => {
                self.add(
                    ("archive", ""),
                    Finding::Failed("the stored file".to_owned(), damage(&error)),
                    began,
                );
                return Ok(());
            }
            fetched => fetched?,
        };
        let staged = &fetched.staged;
        let reporter = Reporter::create(Arc::new(Nobody), STALL);
        let findings =
            Box::pin(self.base.verifier.verify(staged.again()?, &[], (&reporter, &stop), None)).await?;
        self.verified(&findings, began);
        if !is_readable(&findings) {
            return Ok(());
        }
        self.check_canary(staged).await?;
        let archive = self.base.archives.open(staged.again()?).await?;
        let records = archive.manifest().sources.clone();
        let chosen = records.iter().filter(|record| self.base.places.of(&record.kind).is_some());
        let parts = databases(archive, chosen.cloned().collect()).await?;
        for record in &records {
            match parts.iter().find(|part| part.record().name == record.name) {
                Some(part) if part.tables().next().is_none() => {
                    let nothing = Finding::Skipped("the archive has none of its tables".to_owned());
                    self.add(("restore", &record.name), nothing, Instant::now());
                }
                Some(part) => Box::pin(self.restore(staged, part)).await?,
                None => {
                    let finding = self.not_restored(record);
                    self.add(("restore", &record.name), finding, Instant::now());
                }
            }
        }
        Ok(())
    }

    /// Adds the verification's findings and the catalogue's anomalies.
    fn verified(&self, findings: &Findings, began: Instant) {
        let verdict = findings.verdict();
        let problem_of = |wanted: &[VerifyLevel]| {
            let levels = verdict.levels.iter().filter(|level| wanted.contains(&level.level()));
            let bad = levels
                .filter(|level| !matches!(level.outcome(), VerifyOutcome::Passed | VerifyOutcome::Skipped));
            bad.map(|level| level.problem.clone()).collect::<Vec<_>>()
        };
        let bytes =
            format!("{} bytes, {} entries, {} rows", verdict.size_bytes, verdict.entries, verdict.rows);
        let whole = [VerifyLevel::Framing, VerifyLevel::Signature, VerifyLevel::Content];
        self.add(("archive", ""), Finding::of(bytes, &problem_of(&whole)), began);
        if !is_readable(findings) {
            return;
        }
        let values = verdict.levels.iter().find(|level| level.level() == VerifyLevel::Values);
        let values = match values {
            Some(level) if level.outcome() == VerifyOutcome::Skipped => {
                Finding::Skipped(level.problem.clone())
            }
            _ => Finding::of(
                counted(verdict.values.unsigned_abs(), "sealed value"),
                &problem_of(&[VerifyLevel::Values]),
            ),
        };
        self.add(("values", ""), values, began);
        let references = format!(
            "{} between tables, {} more could not be checked",
            counted(verdict.references_checked.unsigned_abs(), "reference"),
            verdict.references_unchecked
        );
        self.add(("references", ""), Finding::of(references, &verdict.dangling), began);
        let history = "compared when the backup was made".to_owned();
        self.add(("history", ""), Finding::of(history, &self.content.anomalies), began);
    }

    async fn check_canary(&self, staged: &Staged) -> Result<()> {
        let began = Instant::now();
        let archive = self.base.archives.open(staged.again()?).await?;
        let canary = assertions::canary(archive).await?;
        let expected = &self.content.canary_sha256;
        let finding = match canary {
            _ if expected.is_empty() => Finding::Skipped("the catalogue has no canary of this backup".into()),
            Some(found) if found == *expected => {
                Finding::Passed("its SHA-256 is the one in the catalogue".into())
            }
            found => {
                let has = found.map_or_else(
                    || "it has no canary".to_owned(),
                    |found| format!("the SHA-256 of its canary is {found}"),
                );
                let problem = format!("it is a different archive: {has}, and the catalogue says {expected}");
                Finding::Failed("its SHA-256".into(), problem)
            }
        };
        self.add(("canary", ""), finding, began);
        Ok(())
    }

    /// Restores one source, checks it, and drops its database.
    async fn restore(&self, staged: &Staged, part: &Part) -> Result<()> {
        let record = part.record();
        let Some(place) = self.base.places.of(&record.kind) else { return Ok(()) };
        self.note(&record.kind, place).await?;
        let template = self.base.places.template(&record.kind);
        let made = (record.encoding.as_deref(), template);
        let scratch = Scratch::create(place, &name_of(&self.row.id), made).await?;
        failpoint::reached("drill.created");
        check_is_nobodys(&scratch, &self.base.sources, &record.kind).await?;
        scratch.add_extensions(record.extensions.iter().map(|extension| extension.name.as_str())).await?;
        let began = Instant::now();
        let archive = self.base.archives.open(staged.again()?).await?;
        let detail = counted(part.tables().count() as u64, "table");
        match part.fill(archive, scratch.url(), &self.row.id).await {
            Ok(left_out) => {
                failpoint::reached("drill.restored");
                self.add(("restore", &record.name), restored(detail, &left_out), began);
                self.check(staged, part, &scratch).await?;
            }
            Err(NotRestored::Refused(problem)) => {
                self.add(("restore", &record.name), Finding::Failed(detail, problem), began);
            }
            Err(NotRestored::Failed(error)) => return Err(error),
        }
        // If it cannot be removed now, sweeping does it later; but the next source needs its name.
        Ok(scratch.remove().await?)
    }

    async fn check(&self, staged: &Staged, part: &Part, scratch: &Scratch) -> Result<()> {
        let name = &part.record().name;
        let began = Instant::now();
        let archive = self.base.archives.open(staged.again()?).await?;
        let compared = assertions::compare(archive, part, scratch.url(), &self.content.table_rows).await?;
        self.found().rows += i64::try_from(compared.total).unwrap_or(0);
        self.add(("rows", name), compared.rows, began);
        self.add(("digests", name), compared.digests, began);
        let began = Instant::now();
        let keys = assertions::foreign_keys(part, scratch).await?;
        self.add(("foreign_keys", name), keys, began);
        let began = Instant::now();
        let archive = self.base.archives.open(staged.again()?).await?;
        let (sequences, objects) = outside::compare(&archive, part, scratch.url()).await?;
        for (check, finding) in [("sequences", sequences), ("large_objects", objects)] {
            if let Some(finding) = finding {
                self.add((check, name), finding, began);
            }
        }
        Ok(())
    }

    /// Notes the place before something is created there, so that it can be found again whatever happens to this
    /// process.
    async fn note(&self, kind: &str, place: &DatabaseUrl) -> Result<()> {
        let place = match place.engine() {
            Engine::Sqlite(folder) => folder.display().to_string(),
            Engine::Postgres(_) => place.to_string(),
        };
        let noted = ScratchRow { drill_id: self.row.id.clone(), kind: kind.to_owned(), place, end_time: 0 };
        Ok(self.base.store.note_scratch(&noted).await?)
    }

    /// A source may have left the configuration meanwhile, and with it the place for it.
    fn not_restored(&self, record: &SourceRecord) -> Finding {
        let SourceRecord { name, kind, .. } = record;
        if self.base.places.lacks(kind) {
            return Finding::Failed("verified only".to_owned(), no_place(name, kind).to_string());
        }
        Finding::Skipped(format!("a source of kind {kind} is verified, not restored"))
    }

    fn add(&self, check: (&str, &str), finding: Finding, began: Instant) {
        self.found().add(check, finding, began);
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Evidence> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the archive's rows are reliable enough to restore them.
fn is_readable(findings: &Findings) -> bool {
    let whole = [VerifyLevel::Framing, VerifyLevel::Signature];
    let levels = &findings.verdict().levels;
    let is_bad = |level: &strongroom_api::backup::v1::LevelVerdict| {
        whole.contains(&level.level()) && level.outcome() != VerifyOutcome::Passed
    };
    !findings.is_sealed() && !levels.iter().any(is_bad)
}

/// Items that the archive does not contain, or code that it does not run, are not restored, and are no fault of the
/// backup.
fn restored(detail: String, left_out: &[String]) -> Finding {
    match left_out {
        [] => Finding::Passed(detail),
        some => Finding::Passed(format!("{detail}; {}", some.join("; "))),
    }
}

/// The message without the remedies, which are meant for the reader of a copy.
fn damage(error: &Error) -> String {
    match error {
        Error::BackupDamaged { destination, problem, .. } => {
            format!("the file in {destination} is not what was stored: {problem}")
        }
        other => other.to_string(),
    }
}

/// A drill's results are in its evidence, so nobody listens.
struct Nobody;

#[async_trait]
impl Listener for Nobody {
    async fn entry(&self, _entry: Entry) -> Result<(), Error> {
        Ok(())
    }

    fn progress(&self, _progress: Progress) {}
}
