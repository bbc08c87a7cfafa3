//! Encodes the archive's rows as lines of COPY text.
//!
//! Every row of every restore passes through here. A JSON string becomes a COPY string in one pass, because most escapes are
//! the same in both; numbers keep their digits. Values need no allocation, except tagged values with escapes.

mod form;
mod text;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use strongroom_archive::schema::Engine;
use strongroom_archive::{SqliteValue, pg_text};

use super::pair::TablePair;
use crate::error::{Error, Result};
use crate::load::{CHUNK_BYTES, Encode, Rows};
pub(super) use form::Form;
use text::{write_bytes, write_hex, write_string};

/// Why a value cannot be written.
type Problem = &'static str;

const NO_ASCII: Problem = "its text is not UTF-8, which only a database with the encoding SQL_ASCII accepts";
const UNKNOWN: Problem = "it does not have the form of an archive's value";
const MISSING: Problem = "the row has no value for it";

/// Writes the rows of one table.
pub(super) struct TextRows {
    table: String,
    columns: Vec<Loaded>,
    engine: Engine,
    /// Whether the target accepts arbitrary bytes as text.
    raw_text: bool,
    out: Vec<u8>,
    decoded: Vec<u8>,
    /// Number of the row that is being added, from 1.
    row: u64,
}

struct Loaded {
    /// Index in the archive's row.
    place: usize,
    name: String,
    form: Form,
}

impl Loaded {
    fn of(pair: &TablePair) -> Vec<Self> {
        let loaded = pair.columns.iter().filter_map(|(place, at)| {
            let column = pair.live.columns.get(*at)?;
            let form = Form::of(&column.type_name, &pair.live.types);
            Some(Self { place: *place, name: column.name.clone(), form })
        });
        loaded.collect()
    }
}

impl TextRows {
    /// `None` gives an encoder that loads nothing.
    pub(super) fn new(pair: Option<&TablePair>, raw_text: bool) -> Self {
        Self {
            table: pair.map(|pair| pair.archive.name.clone()).unwrap_or_default(),
            columns: pair.map(Loaded::of).unwrap_or_default(),
            engine: pair.map_or(Engine::Postgres, |pair| pair.archive.engine),
            raw_text,
            out: Vec::new(),
            decoded: Vec::new(),
            row: 0,
        }
    }

    fn write(&mut self, values: &[&RawValue]) -> Result<(), (usize, Problem)> {
        for index in 0..self.columns.len() {
            if index > 0 {
                self.out.push(b'\t');
            }
            let Some(column) = self.columns.get(index) else { continue };
            let (place, form) = (column.place, column.form);
            let value = values.get(place).ok_or((index, MISSING))?;
            let written = match self.engine {
                Engine::Postgres => self.postgres(value),
                Engine::Sqlite => self.sqlite(value, form),
            };
            written.map_err(|problem| (index, problem))?;
        }
        self.out.push(b'\n');
        Ok(())
    }

    fn postgres(&mut self, value: &RawValue) -> Result<(), Problem> {
        let json = value.get();
        match json.as_bytes() {
            [b'n', ..] => self.out.extend_from_slice(br"\N"),
            [b'"', inner @ .., b'"'] => write_string(&mut self.out, inner)?,
            [b'{', ..] if !self.raw_text => return Err(NO_ASCII),
            [b'{', ..] => match pg_text(value) {
                Ok(Some(bytes)) => write_bytes(&mut self.out, &bytes)?,
                _ => return Err(UNKNOWN),
            },
            token @ [b't' | b'f' | b'-' | b'0'..=b'9', ..] => self.out.extend_from_slice(token),
            _ => return Err(UNKNOWN),
        }
        Ok(())
    }

    fn sqlite(&mut self, value: &RawValue, form: Form) -> Result<(), Problem> {
        match value.get().as_bytes() {
            [b'n', ..] => self.out.extend_from_slice(br"\N"),
            [b'"', inner @ .., b'"'] => {
                form.check_text()?;
                write_string(&mut self.out, inner)?;
            }
            [b'{', ..] => self.tagged(value, form)?,
            number @ [b'-' | b'0'..=b'9', ..] => {
                form.check_number(number)?;
                self.out.extend_from_slice(number);
            }
            _ => return Err(UNKNOWN),
        }
        Ok(())
    }

    fn tagged(&mut self, value: &RawValue, form: Form) -> Result<(), Problem> {
        if let Some(base64) = plain_blob(value.get()) {
            self.decoded.clear();
            STANDARD.decode_vec(base64, &mut self.decoded).map_err(|_| UNKNOWN)?;
            return write_blob(&mut self.out, &self.decoded, form);
        }
        match SqliteValue::from_json(value).map_err(|_| UNKNOWN)? {
            SqliteValue::Blob(bytes) => write_blob(&mut self.out, &bytes, form),
            SqliteValue::TextBytes(bytes) if self.raw_text => {
                form.check_text()?;
                write_bytes(&mut self.out, &bytes)
            }
            SqliteValue::TextBytes(_) => Err(NO_ASCII),
            SqliteValue::Real(infinity) => {
                form.check_infinity()?;
                let text: &[u8] = if infinity > 0.0 { b"Infinity" } else { b"-Infinity" };
                self.out.extend_from_slice(text);
                Ok(())
            }
            _ => Err(UNKNOWN),
        }
    }
}

/// The content of a BLOB in its usual form.
fn plain_blob(json: &str) -> Option<&str> {
    let base64 = json.strip_prefix(r#"{"$blob":""#)?.strip_suffix(r#""}"#)?;
    (!base64.contains('\\')).then_some(base64)
}

fn write_blob(out: &mut Vec<u8>, bytes: &[u8], form: Form) -> Result<(), Problem> {
    form.check_blob(bytes)?;
    if form == Form::Bytes {
        out.extend_from_slice(br"\\x");
    }
    write_hex(out, bytes);
    Ok(())
}

impl Encode for TextRows {
    fn add(&mut self, values: &[&RawValue]) -> Result<()> {
        self.row += 1;
        let begin = self.out.len();
        self.write(values).map_err(|(index, problem)| {
            self.out.truncate(begin);
            let column = self.columns.get(index).map(|column| column.name.clone()).unwrap_or_default();
            Error::Value { table: self.table.clone(), row: self.row, column, problem: problem.to_owned() }
        })
    }

    fn bytes(&self) -> usize {
        self.out.len()
    }

    fn take(&mut self) -> Rows {
        // The next chunk will be about as large, unless this one was a single long row.
        let next = Vec::with_capacity(self.out.len().min(2 * CHUNK_BYTES));
        self.decoded.clear();
        self.decoded.shrink_to(CHUNK_BYTES);
        Rows::Text(std::mem::replace(&mut self.out, next))
    }
}

#[cfg(test)]
mod tests;
