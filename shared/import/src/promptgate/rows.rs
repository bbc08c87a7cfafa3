//! A JSON array of rows, one row in memory at a time.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use serde::Deserializer as _;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::document;
use crate::error::{Error, Result};

/// Maximum size of one row. The largest is a request in the gateway's log.
const MAX_ROW_BYTES: u64 = 16 << 20;
const BUFFER_BYTES: usize = 64 << 10;

/// Calls `take` with each row of `input`, and requires that nothing follows the array. An error of `take` is
/// a verb phrase about the row.
pub(super) fn for_each<R: Read>(
    entry: &str,
    input: R,
    take: impl FnMut(Map<String, Value>) -> Result<(), String>,
) -> Result<()> {
    let left = Rc::new(Cell::new(MAX_ROW_BYTES));
    let limited = RowLimit { input, left: Rc::clone(&left) };
    let buffered = BufReader::with_capacity(BUFFER_BYTES, limited);
    let mut json = serde_json::Deserializer::from_reader(buffered);
    let mut number = 0;
    let mut problem = None;
    let rows = Rows { take, left, number: &mut number, problem: &mut problem };
    let read = json.deserialize_seq(rows).and_then(|()| json.end());
    match (read, problem) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(problem)) => Err(document(entry, format!("row {number} {problem}"))),
        (Err(error), None) if error.is_io() => Err(Error::from_entry(error.into())),
        // The parser's message may repeat a value.
        (Err(error), None) => Err(document(
            entry,
            format!("is not an array of rows: line {}, column {}", error.line(), error.column()),
        )),
    }
}

struct Rows<'a, F> {
    take: F,
    left: Rc<Cell<u64>>,
    number: &'a mut u64,
    problem: &'a mut Option<String>,
}

impl<'de, F: FnMut(Map<String, Value>) -> Result<(), String>> Visitor<'de> for Rows<'_, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element()? {
            *self.number += 1;
            self.left.set(MAX_ROW_BYTES);
            if let Err(problem) = (self.take)(row) {
                *self.problem = Some(problem);
                return Err(A::Error::custom("row"));
            }
        }
        Ok(())
    }
}

/// Fails if a row is too long: the parser holds a whole row in memory. Accurate to the size of the buffer.
struct RowLimit<R> {
    input: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for RowLimit<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        match self.left.get().checked_sub(length as u64) {
            Some(left) => self.left.set(left),
            None => return Err(io::Error::other(format!("a row is larger than {MAX_ROW_BYTES} bytes"))),
        }
        Ok(length)
    }
}
