//! Walking through a document: every field once, known ones only, whatever their order.
//!
//! Two readers walk, one for the outline and one for the rows. What they have in common is here, so that they cannot
//! differ in what they take for a document.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, BufReader, Read};

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::Fields;
use super::meter::{Meter, Metered};
use super::{DocumentError, DocumentLimits};
use crate::quote::Quoted;

/// A part of a document, as it is met.
pub(super) trait Visit {
    /// The value of a field of the document, or of the table that began last.
    ///
    /// # Errors
    /// [`DocumentError::Form`] with a verb phrase about the field, and others as they are.
    fn field(&mut self, name: &str, value: &RawValue) -> Result<(), DocumentError>;

    /// A table begins.
    ///
    /// # Errors
    /// [`DocumentError::Form`] with a verb phrase about the table, and others as they are.
    fn table(&mut self, name: &str) -> Result<(), DocumentError>;

    /// A row of the table that began last.
    ///
    /// # Errors
    /// What the reading ends with.
    fn row(&mut self, row: &str) -> Result<(), DocumentError>;

    /// The table that began last has no more rows.
    ///
    /// # Errors
    /// What the reading ends with.
    fn rows_end(&mut self) -> Result<(), DocumentError>;
}

/// Bytes of what is said of the form.
const MOST_TEXT: usize = 600;

const DOCUMENT: &[&str] = &["strongroom_tables", "app_name", "created_at"];
const TABLE: &[&str] = &["source", "schema"];

/// The default says what the text is, and it may be a secret.
macro_rules! not_a_text {
    ($what:literal) => {
        fn visit_str<E: serde::de::Error>(self, _text: &str) -> Result<(), E> {
            Err(E::custom(concat!($what, " is a text")))
        }
    };
}

/// Where the walk is.
struct Walk<'v> {
    visit: &'v mut dyn Visit,
    meter: Meter,
    limits: DocumentLimits,
    /// The table, and how many of its rows were begun.
    place: (String, u64),
    in_rows: bool,
    /// Of the visitor: `serde` has no room for it.
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
        // It may repeat a name.
        problem.truncate(problem.floor_char_boundary(MOST_TEXT));
        DocumentError::Form(problem)
    }

    /// `what` is what the error is about.
    fn fail<E: serde::de::Error>(&self, what: &dyn fmt::Display, error: DocumentError) -> E {
        if let DocumentError::Form(problem) = error {
            return E::custom(format_args!("{what} {problem}"));
        }
        self.failure.replace(Some(error));
        E::custom("stopped")
    }
}

/// The whole.
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

/// What is in `tables`.
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

/// The rows of one table. Each may take what the limits say of a row; what is left for all else stays as it was.
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
