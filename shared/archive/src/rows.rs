//! The rows of a table entry, one line at a time; the forms of their values, written by [`json`] and read by
//! [`SqliteValue`] and [`pg_text`]; and the [`schema`] of a table.
//!
//! Values keep their JSON text: a `serde_json::Value` would round numbers. Memory is one row.

pub mod json;
mod row;
pub mod schema;
mod text;
mod value;

use std::io::{BufRead, BufReader, Read};

use serde_json::value::RawValue;

use self::schema::TableSchema;
pub use self::text::{BoundedText, characters, text_within};
pub(crate) use self::value::check_value;
pub use self::value::{SqliteValue, pg_text};
use crate::error::{Error, Result};

/// Initial size of a row's buffer, in bytes.
const FIRST_BYTES: usize = 64 << 10;
/// Bytes of a row between two calls of `progress`.
const STEP: usize = 1 << 20;

/// Reads the rows of one table and requires the form of FORMAT.md §4.
pub struct RowReader<R> {
    input: BufReader<R>,
    entry: String,
    columns: Vec<String>,
    row_bytes: u64,
    state: State,
    line: Vec<u8>,
    line_number: u64,
    bytes: u64,
}

/// Receives the number of bytes read; its error ends the reading.
type Progress<'a> = &'a mut dyn FnMut(u64) -> Result<()>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the opening bracket.
    Start,
    /// A row must follow.
    Row,
    /// The closing bracket must follow.
    Close,
    /// The end was seen.
    End,
}

impl<R: Read> RowReader<R> {
    /// Reads the table described by `schema` from `input`. `entry` is used in messages, `row_bytes` is
    /// [`crate::Limits::row_bytes`].
    pub fn open(input: R, entry: String, schema: &TableSchema, row_bytes: u64) -> Self {
        Self {
            input: BufReader::with_capacity(64 << 10, input),
            entry,
            columns: schema.columns.iter().map(|column| column.name.clone()).collect(),
            row_bytes,
            state: State::Start,
            line: Vec::new(),
            line_number: 0,
            bytes: 0,
        }
    }

    /// The values of the next row in column order. `None` is returned only after the closing bracket and the
    /// end of the entry, where its digest was checked: rows read before an error must not be used.
    pub fn next_row(&mut self) -> Result<Option<Vec<&RawValue>>> {
        self.next_row_watched(&mut |_| Ok(()))
    }

    /// The same. `progress` receives [`Self::bytes`] at each MiB of a long row; its error ends the reading
    /// and is returned unchanged.
    pub(crate) fn next_row_watched(&mut self, progress: Progress<'_>) -> Result<Option<Vec<&RawValue>>> {
        if self.state == State::Start {
            self.read_opening()?;
        }
        if self.state == State::Close {
            self.read_closing()?;
        }
        if self.state == State::End {
            return Ok(None);
        }
        self.read_line(progress)?;
        let (row, state) = match self.line.as_slice() {
            [row @ .., b',', b'\n'] => (row.len(), State::Row),
            [row @ .., b'\n'] => (row.len(), State::Close),
            _ => return Err(self.malformed("ends without a line feed")),
        };
        // The last row has no comma, so its line can be within bounds while the row is not.
        if row as u64 > self.row_bytes {
            return Err(self.too_long());
        }
        self.state = state;
        let wrong = |problem| Error::Row { entry: self.entry.clone(), line: self.line_number, problem };
        row::parse(&self.line[..row], &self.columns).map(Some).map_err(wrong)
    }

    /// Number of bytes of the entry consumed so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The line of the row returned last by [`Self::next_row`], counted from 1.
    pub fn line_number(&self) -> u64 {
        self.line_number
    }

    fn read_opening(&mut self) -> Result<()> {
        self.read_line(&mut |_| Ok(()))?;
        match self.line.as_slice() {
            b"[\n" => self.state = State::Row,
            b"[]\n" => self.read_end()?,
            _ => return Err(self.malformed("does not open an array")),
        }
        Ok(())
    }

    fn read_closing(&mut self) -> Result<()> {
        self.read_line(&mut |_| Ok(()))?;
        match self.line.as_slice() {
            b"]\n" => self.read_end(),
            _ => Err(self.malformed("follows the last row but does not close the array")),
        }
    }

    fn read_end(&mut self) -> Result<()> {
        self.read_line(&mut |_| Ok(()))?;
        if !self.line.is_empty() {
            return Err(self.malformed("follows the end of the array"));
        }
        self.state = State::End;
        Ok(())
    }

    /// Reads into `line` up to and including the next line feed; empty at the end. Its buffer grows to the
    /// maximum row length and no further.
    fn read_line(&mut self, progress: Progress<'_>) -> Result<()> {
        self.line.clear();
        self.line_number += 1;
        // Two more bytes for the comma and the line feed.
        let most = usize::try_from(self.row_bytes).unwrap_or(usize::MAX).saturating_add(2);
        loop {
            if self.line.len() == self.line.capacity() {
                let more = self.line.len().max(FIRST_BYTES).min(most - self.line.len());
                self.line.reserve_exact(more);
            }
            let room = self.line.capacity().min(most) - self.line.len();
            let part = room.min(STEP);
            let mut input = self.input.by_ref().take(part as u64);
            let read = input.read_until(b'\n', &mut self.line).map_err(Error::from_read)?;
            self.bytes += read as u64;
            if read < part || self.line.ends_with(b"\n") {
                return Ok(());
            }
            if self.line.len() == most {
                return Err(self.too_long());
            }
            progress(self.bytes)?;
        }
    }

    fn too_long(&self) -> Error {
        Error::RowLimit { entry: self.entry.clone(), row: self.line_number - 1, limit: self.row_bytes }
    }

    pub(crate) fn malformed(&self, problem: &str) -> Error {
        let problem = problem.to_owned();
        Error::Row { entry: self.entry.clone(), line: self.line_number, problem }
    }
}
