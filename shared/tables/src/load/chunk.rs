//! Rows on their way from an archive into a database.
//!
//! An archive is read, and its JSON turned into what the database takes, on a thread that may block; loading waits for the
//! database. Chunks go from one to the other, and a channel of a few of them is all that is held.

use serde_json::value::RawValue;

use crate::error::Result;

/// Bytes of a chunk at which it is handed on; a single long row may exceed them.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

/// Some rows of one table in the form that its database loads.
pub struct Chunk {
    pub(crate) rows: Rows,
    /// How many rows these are.
    pub count: u64,
    /// Whether these are the last rows of the table. There may be none in it.
    pub is_last: bool,
}

/// What an engine loads.
pub(crate) enum Rows {
    /// Lines of COPY text (PostgreSQL).
    Text(Vec<u8>),
    /// Values to bind, row after row (SQLite).
    Values(Vec<strongroom_archive::SqliteValue>),
}

/// Turns the archive's rows of one table into chunks. It holds nothing of the database and may work on another thread.
pub struct Encoder {
    rows: Box<dyn Encode>,
    count: u64,
}

/// How an engine takes values.
pub(crate) trait Encode: Send {
    /// Adds a row, with values in the order of the archive's columns.
    ///
    /// # Errors
    /// [`crate::Error::Value`] for a value that the column cannot take.
    fn add(&mut self, values: &[&RawValue]) -> Result<()>;

    /// Bytes of what was added since the last [`Self::take`].
    fn bytes(&self) -> usize;

    /// What was added since the last call.
    fn take(&mut self) -> Rows;
}

impl Encoder {
    pub(crate) fn new(rows: Box<dyn Encode>) -> Self {
        Self { rows, count: 0 }
    }

    /// Adds a row, with values in the order of the archive's columns, and returns a chunk whenever one is full.
    ///
    /// # Errors
    /// [`crate::Error::Value`] naming the column, and the row by its number in the archive.
    pub fn add(&mut self, values: &[&RawValue]) -> Result<Option<Chunk>> {
        self.rows.add(values)?;
        self.count += 1;
        Ok((self.rows.bytes() >= CHUNK_BYTES).then(|| self.take(false)))
    }

    /// The last chunk, once all rows were added.
    #[must_use]
    pub fn finish(mut self) -> Chunk {
        self.take(true)
    }

    fn take(&mut self, is_last: bool) -> Chunk {
        Chunk { rows: self.rows.take(), count: std::mem::take(&mut self.count), is_last }
    }
}
