//! Progress for the receiver between chunks: at the start and end of each table and file set, and at intervals within.

use std::collections::BTreeMap;
use std::time::Instant;

use strongroom_api::backup::v1::export_backup_response::Progress;
use strongroom_api::limits::VAULT_SOURCE;

use super::exit::Exit;
use crate::error::Result;
use crate::operation::PROGRESS_INTERVAL;

/// Counts and reports to the receiver.
pub(super) struct Reporter<'a> {
    exit: &'a Exit,
    progress: Progress,
    rows: RowCounts,
    /// Number of rows of earlier tables.
    before: i64,
    sent: Instant,
}

/// Number of rows of finished tables.
#[derive(Debug, Default)]
pub(super) struct RowCounts {
    /// Number of rows of each table, by the table's name in the archive.
    pub(super) by_table: BTreeMap<String, i64>,
    /// Number of rows of all tables except the vault's.
    pub(super) beside_vault: i64,
}

impl<'a> Reporter<'a> {
    pub(super) fn create(exit: &'a Exit, tables: usize, files: usize) -> Self {
        let (tables_total, files_total) = (tables as i64, files as i64);
        let progress = Progress { tables_total, files_total, ..Progress::default() };
        Self { exit, progress, rows: RowCounts::default(), before: 0, sent: Instant::now() }
    }

    pub(super) fn into_counts(self) -> (Progress, RowCounts) {
        (self.progress, self.rows)
    }

    pub(super) fn begin_table(&mut self, name: &str) -> Result<()> {
        self.progress.file.clear();
        name.clone_into(&mut self.progress.table);
        self.before = self.progress.rows;
        self.send()
    }

    pub(super) fn count(&mut self, rows: u64) -> Result<()> {
        self.progress.rows += rows as i64;
        self.step()
    }

    pub(super) fn end_table(&mut self, source: &str) -> Result<()> {
        let rows = self.progress.rows - self.before;
        self.rows.by_table.insert(self.progress.table.clone(), rows);
        if source != VAULT_SOURCE {
            self.rows.beside_vault += rows;
        }
        self.progress.tables_done += 1;
        self.send()
    }

    pub(super) fn begin_set(&mut self, name: &str) -> Result<()> {
        self.progress.table.clear();
        name.clone_into(&mut self.progress.file);
        self.send()
    }

    pub(super) fn begin_file(&mut self, set: &str, path: &str) -> Result<()> {
        self.progress.file = format!("{set}/{path}");
        self.step()
    }

    pub(super) fn end_file(&mut self) {
        self.progress.files_done += 1;
    }

    pub(super) fn end_set(&mut self) -> Result<()> {
        self.send()
    }

    /// Sends progress when it is due, and checks for a stop. A stop is otherwise noticed only when a chunk is sent, and
    /// data that compresses to almost nothing may fill no chunk for a long time.
    pub(super) fn step(&mut self) -> Result<()> {
        self.exit.check_stop()?;
        if self.sent.elapsed() >= PROGRESS_INTERVAL { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<()> {
        self.sent = Instant::now();
        self.exit.send_progress(self.progress.clone())
    }
}
