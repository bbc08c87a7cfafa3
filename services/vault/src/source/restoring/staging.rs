//! Fills a stage: rows are cut out of the messages, parsed, checked and stored in batches.

use std::sync::Arc;

use strongroom_crypto::KeyRing;
use strongroom_runtime::failpoint;

use super::BEGUN_ANEW;
use super::reading::{RESTORED, read};
use super::resealing::Resealing;
use crate::error::{RestoreError, Result};
use crate::keys::OpenedRing;
use crate::store::Store;
use crate::store::restore::rows::{StagedRow, TOMBSTONES};
use crate::store::restore::{Added, Attempt};

/// Maximum bytes of one row as JSON: a sealed secret of 64 KiB, with a name and labels at their limits.
const MAX_ROW: usize = 512 << 10;
/// Maximum bytes of one stage: a million credentials with short secrets are 1 GB.
const MAX_STAGE: u64 = 16 << 30;
/// Maximum number of rows without a MAC. Without MACs, a service could send any number.
const MAX_TOMBSTONES: i64 = 1_000_000;
/// Rows stored in one batch.
const BATCH: usize = 200;
/// Bytes stored in one batch.
const BATCH_BYTES: usize = 1 << 20;

/// A stage that is being filled.
pub(crate) struct Staging {
    store: Arc<dyn Store>,
    attempt: Attempt,
    opened: OpenedRing,
    resealing: Option<Resealing>,
    accept_undecryptable: bool,
    /// The tables staged so far.
    tables: Vec<String>,
    table: Option<Incoming>,
    total: u64,
}

/// The table whose rows are arriving.
struct Incoming {
    name: &'static str,
    /// The received part of a row.
    text: Vec<u8>,
    rows: i64,
    batch: Vec<StagedRow>,
    batch_bytes: usize,
}

impl Staging {
    /// `live` is the vault's own ring; it reseals values sealed under another root key.
    pub(super) fn new(
        store: Arc<dyn Store>,
        attempt: Attempt,
        opened: OpenedRing,
        live: Arc<KeyRing>,
        accept_undecryptable: bool,
    ) -> Self {
        let resealing =
            (!opened.is_of_current_root).then(|| Resealing::new(Arc::clone(&opened.joined), live));
        Self {
            store,
            attempt,
            opened,
            resealing,
            accept_undecryptable,
            tables: Vec::new(),
            table: None,
            total: 0,
        }
    }

    /// The attempt, which is needed to drop the stage.
    pub(crate) fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// Begins the rows of another table.
    ///
    /// # Errors
    /// [`RestoreError::Protocol`].
    pub(crate) fn begin_table(&mut self, name: &str) -> Result<()> {
        if self.table.is_some() {
            return Err(protocol("a table begins before the previous one has ended"));
        }
        let known = RESTORED.iter().find(|known| **known == name);
        let Some(name) = known else {
            return Err(protocol(format!("the vault does not restore rows of {name:?}")));
        };
        if self.tables.iter().any(|table| table == name) {
            return Err(protocol(format!("{name} occurs twice")));
        }
        self.tables.push((*name).to_owned());
        self.table = Some(Incoming { name, text: Vec::new(), rows: 0, batch: Vec::new(), batch_bytes: 0 });
        Ok(())
    }

    /// Adds a part of the table's text.
    ///
    /// # Errors
    /// [`RestoreError::Row`], [`RestoreError::RowUnauthenticated`], [`RestoreError::Protocol`], and those of the
    /// database.
    pub(crate) async fn add(&mut self, mut part: &[u8]) -> Result<()> {
        self.total = self.total.saturating_add(part.len() as u64);
        if self.total > MAX_STAGE {
            return Err(protocol(format!("a restore of the vault has at most {MAX_STAGE} bytes")));
        }
        loop {
            let table = self.table.as_mut().ok_or_else(|| protocol("rows come before their table"))?;
            let Some(end) = part.iter().position(|byte| *byte == b'\n') else {
                return table.append(part);
            };
            table.append(&part[..end])?;
            part = &part[end + 1..];
            let line = std::mem::take(&mut table.text);
            let Some(row) = line.strip_suffix(b",") else {
                return Err(protocol("rows are separated by a comma and a line feed"));
            };
            self.row(row).await?;
        }
    }

    /// Ends the table.
    ///
    /// # Errors
    /// [`RestoreError::RowCount`], and those of [`Self::add`].
    pub(crate) async fn end_table(&mut self, said: i64) -> Result<()> {
        let table = self.table.as_mut().ok_or_else(|| protocol("a table ends that has not begun"))?;
        let last = std::mem::take(&mut table.text);
        if !last.is_empty() {
            self.row(&last).await?;
        }
        self.flush().await?;
        let Some(Incoming { name, rows, .. }) = self.table.take() else { return Ok(()) };
        if rows != said {
            return Err(RestoreError::RowCount { table: name, said, received: rows }.into());
        }
        Ok(())
    }

    /// The staged tables, once all of them have ended.
    ///
    /// # Errors
    /// [`RestoreError::Protocol`].
    pub(super) fn finish(self) -> Result<(Attempt, Vec<String>, OpenedRing)> {
        match self.table {
            Some(table) => Err(protocol(format!("the stream ended inside {}", table.name))),
            None => Ok((self.attempt, self.tables, self.opened)),
        }
    }

    async fn row(&mut self, json: &[u8]) -> Result<()> {
        let Some(table) = &mut self.table else { return Ok(()) };
        let mut staged = read(table.name, json)?;
        if !staged.is_authentic(&self.opened.row_keys) {
            return Err(unauthentic(table.name, &staged, &self.opened).into());
        }
        if table.name == TOMBSTONES && table.rows >= MAX_TOMBSTONES {
            return Err(protocol(format!(
                "a restore of the vault has at most {MAX_TOMBSTONES} rows of {TOMBSTONES}"
            )));
        }
        if let Some(resealing) = &self.resealing
            && !resealing.reseal(&mut staged.row)?
            && !self.accept_undecryptable
        {
            return Err(RestoreError::Undecryptable { table: table.name, row: staged.key() }.into());
        }
        table.rows += 1;
        table.batch_bytes += json.len();
        table.batch.push(staged);
        if table.batch.len() >= BATCH || table.batch_bytes >= BATCH_BYTES {
            self.flush().await
        } else {
            Ok(())
        }
    }

    async fn flush(&mut self) -> Result<()> {
        let Some(table) = &mut self.table else { return Ok(()) };
        let batch = std::mem::take(&mut table.batch);
        table.batch_bytes = 0;
        if batch.is_empty() {
            return Ok(());
        }
        match self.store.add_staged(&self.attempt, &batch).await? {
            Added::Done => failpoint::reached("vault.rows_staged"),
            Added::Twice => return Err(protocol(format!("a row of {} occurs twice", table.name))),
            Added::Over => return Err(protocol(BEGUN_ANEW)),
        }
        Ok(())
    }
}

impl Incoming {
    fn append(&mut self, part: &[u8]) -> Result<()> {
        if self.text.len() + part.len() > MAX_ROW {
            return Err(protocol(format!("a row of {} has more than {MAX_ROW} bytes", self.name)));
        }
        self.text.extend_from_slice(part);
        Ok(())
    }
}

/// The refusal of a row: a MAC under a version that is retired here is not accepted, even if it is right.
fn unauthentic(table: &'static str, staged: &StagedRow, opened: &OpenedRing) -> RestoreError {
    let row = staged.key();
    match &staged.seal {
        Some(seal) if opened.retired_row_kids.contains(&seal.row_kid) => {
            RestoreError::RowKeyRetired { table, row, kid: seal.row_kid.clone() }
        }
        _ => RestoreError::RowUnauthenticated { table, row },
    }
}

fn protocol(problem: impl Into<String>) -> crate::error::Error {
    RestoreError::Protocol(problem.into()).into()
}
