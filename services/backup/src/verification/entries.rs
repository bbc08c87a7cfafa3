//! One pass over an archive on a blocking thread: checks every entry, and passes on its sealed values.

use std::io;
use std::time::Instant;

use serde_json::value::RawValue;
use strongroom_api::backup::v1::verify_backup_response::{Entry, Progress};
use strongroom_archive::schema::TableSchema;
use strongroom_archive::{
    EntryKind, Error as ArchiveError, ReferenceReport, References, Watch, verify_entry, verify_frame,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::progress::Reporter;
use super::sealed_texts::SealedTexts;
use super::values::{Batch, Questions};
use crate::error::{Error, Result};
use crate::incoming::{Archive, MemoryLimits, Processor, problem_of};
use crate::operation::{Blocking, PROGRESS_INTERVAL};

/// Maximum number of referenced values to remember, 2 to 5 MiB: `concurrent_verifications` documents a verification's
/// memory.
const MOST_VALUES: usize = 300_000;

/// The result of checking the entries.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) count: i64,
    pub(super) tables: i64,
    pub(super) rows: i64,
    pub(super) files: i64,
    /// Number of entries that differ from the manifest.
    pub(super) bad: i64,
    /// The first such entry's problem.
    pub(super) problem: String,
    /// The seal's problem, if it made an entry unreadable. If no entry is bad, the problem of the ZIP's bytes around
    /// the entries.
    pub(super) framing_problem: Option<String>,
    /// A table with sealed values that could not all be read.
    pub(super) unread: Option<String>,
    /// The result for references between tables.
    pub(super) references: ReferenceReport,
    /// Texts that look like sealed values.
    pub(super) sealed_texts: SealedTexts,
}

/// The pass, with its connections to the client and to the task that asks the vault.
pub(super) struct Pass {
    questions: Questions,
    references: References,
    sealed_texts: SealedTexts,
    batches: mpsc::Sender<Batch>,
    reporter: Reporter,
    blocking: Blocking,
    processor: Processor,
    progress: Progress,
    /// Number of bytes of earlier entries.
    before: u64,
    told: Instant,
}

impl Pass {
    /// Passes the collected `questions` to `batches`, until `stop` or until `processor` is used up.
    pub(super) fn create(
        questions: Questions,
        batches: mpsc::Sender<Batch>,
        reporter: Reporter,
        stop: CancellationToken,
        processor: Processor,
    ) -> Self {
        Self {
            questions,
            references: References::default(),
            sealed_texts: SealedTexts::default(),
            batches,
            reporter,
            blocking: Blocking::create(stop),
            processor,
            progress: Progress::default(),
            before: 0,
            told: Instant::now(),
        }
    }

    /// Blocks until every entry is checked. Notices cancellation at each MiB, and at each row with sealed values or
    /// keys.
    ///
    /// # Errors
    /// [`Error::ClientLeft`], [`Error::ClientSilent`], [`Error::Staging`], [`Error::RowTooLarge`],
    /// [`Error::DocumentTooLarge`], [`Error::VerifyProcessor`], and [`Error::ShuttingDown`] on `stop`.
    pub(super) fn run(mut self, archive: &mut Archive, memory: MemoryLimits) -> Result<Entries> {
        let mut entries = Entries::default();
        self.progress.bytes_total = archive.entries().iter().map(|entry| entry.bytes).sum::<u64>() as i64;
        self.sealed_texts = SealedTexts::beside(&archive.manifest().encrypted_columns);
        let planned = References::plan(archive, MOST_VALUES, &mut || self.check().map_err(to_archive));
        self.references = problem_of(planned)?.unwrap_or_default();
        for index in 0..archive.entries().len() {
            self.entry(archive, index, memory, &mut entries)?;
            self.before += archive.entries()[index].bytes;
            self.step(0)?;
        }
        if entries.bad == 0 {
            entries.framing_problem = self.frame(archive)?;
        }
        let Self { questions, references, sealed_texts, batches, blocking, .. } = self;
        hand_on(&blocking, &batches, questions.finish())?;
        entries.references = references.finish();
        entries.sealed_texts = sealed_texts;
        Ok(entries)
    }

    fn entry(
        &mut self,
        archive: &mut Archive,
        index: usize,
        memory: MemoryLimits,
        entries: &mut Entries,
    ) -> Result<()> {
        let record = archive.entries()[index].clone();
        self.progress.entry.clone_from(&record.name);
        self.questions.begin_entry();
        let checked = verify_entry(archive, index, self);
        memory.check(&checked, record.table.as_deref())?;
        let of_seal = matches!(checked, Err(ArchiveError::Seal(_)));
        let mut entry = Entry { name: record.name, ..Entry::default() };
        match problem_of(checked)? {
            Ok(rows) => entry.rows = rows as i64,
            Err(problem) => {
                self.references.give_up(record.table.as_deref().unwrap_or_default());
                if of_seal {
                    entries.framing_problem.get_or_insert_with(|| problem.clone());
                }
                entry.problem = problem;
            }
        }
        let encrypted = &archive.manifest().encrypted_columns;
        let has_sealed = encrypted.iter().any(|column| record.table.as_deref() == Some(&*column.table));
        entries.count(&entry, record.kind, has_sealed);
        self.blocking.wait(self.reporter.entry(entry))
    }

    /// A problem of the bytes between the entries. It runs only if no entry is bad, since bad entries are already
    /// reported.
    fn frame(&mut self, archive: &mut Archive) -> Result<Option<String>> {
        let checked = verify_frame(archive, &mut |_| self.step(0).map_err(to_archive));
        Ok(problem_of(checked)?.err())
    }

    fn check(&self) -> Result<()> {
        self.blocking.check()?;
        self.processor.check()
    }

    /// Reports progress, and notices cancellation.
    fn step(&mut self, bytes: u64) -> Result<()> {
        self.check()?;
        if self.told.elapsed() >= PROGRESS_INTERVAL {
            self.told = Instant::now();
            self.progress.bytes_verified = (self.before + bytes) as i64;
            self.reporter.progress(self.progress.clone());
        }
        Ok(())
    }
}

impl Entries {
    fn count(&mut self, entry: &Entry, kind: EntryKind, has_sealed: bool) {
        self.count += 1;
        self.tables += i64::from(kind == EntryKind::Table);
        self.files += i64::from(kind == EntryKind::File);
        self.rows += entry.rows;
        if entry.problem.is_empty() {
            return;
        }
        self.bad += 1;
        if self.bad == 1 {
            self.problem.clone_from(&entry.problem);
        }
        if has_sealed {
            self.unread.get_or_insert_with(|| entry.name.clone());
        }
    }
}

impl Watch for Pass {
    fn row(&mut self, schema: &TableSchema, values: &[&RawValue]) -> strongroom_archive::Result<()> {
        // A row of a few bytes can have a thousand values, each with additional data of many parts, and many keys.
        if self.references.add(schema, values) || self.questions.has_sealed() {
            self.check().map_err(to_archive)?;
        }
        self.sealed_texts.add(schema, values);
        let Self { questions, batches, blocking, .. } = self;
        questions.add(schema, values, |batch| hand_on(blocking, batches, batch)).map_err(to_archive)
    }

    fn progress(&mut self, bytes: u64) -> strongroom_archive::Result<()> {
        self.step(bytes).map_err(to_archive)
    }
}

/// Blocks until there is room. If the task that asks the vault has ended, its own error is the one that counts.
fn hand_on(blocking: &Blocking, batches: &mpsc::Sender<Batch>, batch: Batch) -> Result<()> {
    blocking.wait(async { batches.send(batch).await.map_err(|_| Error::ShuttingDown) })
}

/// The archive reader returns the error unchanged.
fn to_archive(error: Error) -> ArchiveError {
    ArchiveError::Sink(io::Error::from(error))
}
