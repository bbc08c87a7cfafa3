//! Rows on their way from an archive into a database.
//!
//! Reading an archive and converting its JSON into the database's form run on a thread that may block; loading waits for the
//! database. Chunks pass between the two through a small channel, and nothing else is held in memory.

use serde_json::value::RawValue;

use crate::error::Result;

/// Size at which a chunk is handed on, in bytes; a single long row can exceed it.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

/// Some rows of one table, in the form that its database loads.
pub struct Chunk {
    pub(crate) rows: Rows,
    /// Number of rows.
    pub count: u64,
    /// Whether these are the table's last rows. Such a chunk can be empty.
    pub is_last: bool,
}

/// The form that an engine loads.
pub(crate) enum Rows {
    /// Lines of COPY text (PostgreSQL).
    Text(Vec<u8>),
    /// Values to bind, row after row (SQLite).
    Values(Vec<strongroom_archive::SqliteValue>),
}

/// Converts the archive's rows of one table into chunks. It holds no database resources and can work on another thread.
pub struct Encoder {
    rows: Box<dyn Encode>,
    count: u64,
}

/// Encoding of values for one engine.
pub(crate) trait Encode: Send {
    /// Adds a row, with values in the archive's column order.
    ///
    /// # Errors
    /// [`crate::Error::Value`] for a value that the column cannot take.
    fn add(&mut self, values: &[&RawValue]) -> Result<()>;

    /// Number of bytes added since the last [`Self::take`].
    fn bytes(&self) -> usize;

    /// Returns what was added since the last call.
    fn take(&mut self) -> Rows;
}

impl Encoder {
    pub(crate) fn new(rows: Box<dyn Encode>) -> Self {
        Self { rows, count: 0 }
    }

    /// Adds a row, with values in the archive's column order, and returns a chunk whenever one is full.
    ///
    /// # Errors
    /// [`crate::Error::Value`] naming the column, and the row by its number in the archive.
    pub fn add(&mut self, values: &[&RawValue]) -> Result<Option<Chunk>> {
        self.rows.add(values)?;
        self.count += 1;
        Ok((self.rows.bytes() >= CHUNK_BYTES).then(|| self.take(false)))
    }

    /// The last chunk, after all rows were added.
    #[must_use]
    pub fn finish(mut self) -> Chunk {
        self.take(true)
    }

    fn take(&mut self, is_last: bool) -> Chunk {
        Chunk { rows: self.rows.take(), count: std::mem::take(&mut self.count), is_last }
    }
}
