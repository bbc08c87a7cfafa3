//! Walking through a document: each field once, known fields only, in any order.
//!
//! Two readers walk a document, one for the outline and one for the rows. Their common part is here, so that
//! they accept exactly the same documents.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, BufReader, Read};

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::Fields;
use super::meter::{Meter, Metered};
use super::{DocumentError, DocumentLimits};
use crate::quote::Quoted;

/// Receives the parts of a document in the order found.
pub(super) trait Visit {
    /// The value of a field of the document, or of the table begun last.
    ///
    /// # Errors
    /// [`DocumentError::Form`] with a verb phrase about the field; other errors are returned unchanged.
    fn field(&mut self, name: &str, value: &RawValue) -> Result<(), DocumentError>;

    /// A table begins.
    ///
    /// # Errors
    /// [`DocumentError::Form`] with a verb phrase about the table; other errors are returned unchanged.
    fn table(&mut self, name: &str) -> Result<(), DocumentError>;

    /// A row of the table begun last.
    ///
    /// # Errors
    /// The error to end the reading with.
    fn row(&mut self, row: &str) -> Result<(), DocumentError>;

    /// The table begun last has no more rows.
    ///
    /// # Errors
    /// The error to end the reading with.
    fn rows_end(&mut self) -> Result<(), DocumentError>;
}

/// Maximum bytes of an error message about the form.
const MOST_TEXT: usize = 600;

const DOCUMENT: &[&str] = &["strongroom_tables", "app_name", "created_at"];
const TABLE: &[&str] = &["source", "schema"];

/// The default message contains the text, which may be a secret.
macro_rules! not_a_text {
    ($what:literal) => {
        fn visit_str<E: serde::de::Error>(self, _text: &str) -> Result<(), E> {
            Err(E::custom(concat!($what, " is a text")))
        }
    };
}

/// The state of the walk.
struct Walk<'v> {
    visit: &'v mut dyn Visit,
    meter: Meter,
    limits: DocumentLimits,
    /// The current table, and the number of its rows begun.
    place: (String, u64),
    in_rows: bool,
    /// The visitor's error: `serde` cannot transport it.
    failure: RefCell<Option<DocumentError>>,
}

/// Walks through all of `input`.
pub(super) fn walk(
    input: impl Read,
    limits: DocumentLimits,
    visit: &mut dyn Visit,
) -> Result<(), DocumentError> {
    let meter = Meter::new(limits.head_bytes);
    let input = Metered { input: BufReader::with_capacity(64 << 10, input), meter: meter.clone() };
    let mut json = serde_json::Deserializer::from_reader(input);
    let mut walk =
        Walk { visit, meter, limits, place: (String::new(), 0), in_rows: false, failure: RefCell::default() };
    let walked = Document(&mut walk).deserialize(&mut json).and_then(|()| json.end());
    walked.map_err(|error| walk.cause(error))
}

impl Walk<'_> {
    fn cause(self, error: serde_json::Error) -> DocumentError {
        if let Some(own) = self.failure.into_inner() {
            return own;
        }
        if self.meter.is_exceeded() {
            let (table, row) = self.place;
            return match self.in_rows {
                true => DocumentError::RowLimit { table, row, limit: self.limits.row_bytes },
                false => DocumentError::HeadLimit(self.limits.head_bytes),
            };
        }
        if error.is_eof() {
            return DocumentError::Cut;
        }
        if error.is_io() {
            return DocumentError::Read(io::Error::from(error));
        }
        let mut problem = error.to_string();
        // The message may contain a name from the document.
        problem.truncate(problem.floor_char_boundary(MOST_TEXT));
        DocumentError::Form(problem)
    }

    /// `what` is the subject of the error.
    fn fail<E: serde::de::Error>(&self, what: &dyn fmt::Display, error: DocumentError) -> E {
        if let DocumentError::Form(problem) = error {
            return E::custom(format_args!("{what} {problem}"));
        }
        self.failure.replace(Some(error));
        E::custom("stopped")
    }
}

/// The whole document.
struct Document<'a, 'v>(&'a mut Walk<'v>);

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with the tables")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut fields = Fields::new(DOCUMENT, "tables");
        while let Some(key) = map.next_key::<String>()? {
            if fields.take(&key).map_err(|error| self.0.fail(&"it", error))? {
                map.next_value_seed(Tables(&mut *self.0))?;
                continue;
            }
            let value: Box<RawValue> = map.next_value()?;
            self.0.visit.field(&key, &value).map_err(|error| self.0.fail(&Quoted(&key), error))?;
        }
        fields.finish().map_err(|error| self.0.fail(&"it", error))
    }

    not_a_text!("the document");
}

/// The object `tables`.
struct Tables<'a, 'v>(&'a mut Walk<'v>);

impl<'de> DeserializeSeed<'de> for Tables<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tables<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with a field for each table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let begun = self.0.visit.table(&name);
            begun.map_err(|error| self.0.fail(&format_args!("table {}", Quoted(&name)), error))?;
            self.0.place = (name, 0);
            map.next_value_seed(Table(&mut *self.0))?;
        }
        Ok(())
    }

    not_a_text!("\"tables\"");
}

/// One table.
struct Table<'a, 'v>(&'a mut Walk<'v>);

impl<'de> DeserializeSeed<'de> for Table<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Table<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with source, schema and rows")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let table = format!("table {}", Quoted(&self.0.place.0));
        let mut fields = Fields::new(TABLE, "rows");
        while let Some(key) = map.next_key::<String>()? {
            if fields.take(&key).map_err(|error| self.0.fail(&table, error))? {
                map.next_value_seed(Rows(&mut *self.0))?;
                continue;
            }
            let value: Box<RawValue> = map.next_value()?;
            let taken = self.0.visit.field(&key, &value);
            taken.map_err(|error| self.0.fail(&format_args!("{table}: {}", Quoted(&key)), error))?;
        }
        fields.finish().map_err(|error| self.0.fail(&table, error))
    }

    not_a_text!("a table");
}

/// The rows of one table. Each row has its own limit; the remaining limit for everything else is unaffected.
struct Rows<'a, 'v>(&'a mut Walk<'v>);

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let left = self.0.meter.left();
        self.0.in_rows = true;
        loop {
            self.0.place.1 += 1;
            self.0.meter.set(self.0.limits.row_bytes);
            let Some(row) = rows.next_element::<Box<RawValue>>()? else { break };
            self.0.visit.row(row.get()).map_err(|error| self.0.fail(&"a row", error))?;
        }
        self.0.in_rows = false;
        self.0.meter.set(left);
        self.0.visit.rows_end().map_err(|error| self.0.fail(&"it", error))
    }

    not_a_text!("\"rows\"");
}
