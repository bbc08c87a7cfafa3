//! Recognises the product that made a document, by its first fields.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read};

use serde::Deserializer as _;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};

use super::DocumentError;
use super::meter::{Meter, Metered};

/// Maximum bytes read. The distinguishing field is at the beginning, or after a version.
const MOST: u64 = 64 << 10;

/// The forms of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Our own table document.
    Tables,
    /// Gatwy's connection export.
    Gatwy,
}

/// Reads the beginning of a document.
///
/// # Errors
/// [`DocumentError::Unknown`], [`DocumentError::Cut`] and [`DocumentError::Read`].
pub fn form(input: impl Read) -> Result<Form, DocumentError> {
    let meter = Meter::new(MOST);
    let input = Metered { input: BufReader::new(input), meter: meter.clone() };
    let found = Cell::new(None);
    let looked = serde_json::Deserializer::from_reader(input).deserialize_map(Look(&found));
    match (found.get(), looked) {
        (Some(form), _) => Ok(form),
        (None, Err(error)) if error.is_eof() => Err(DocumentError::Cut),
        (None, Err(error)) if error.is_io() && !meter.is_exceeded() => {
            Err(DocumentError::Read(io::Error::from(error)))
        }
        (None, _) => Err(DocumentError::Unknown),
    }
}

struct Look<'a>(&'a Cell<Option<Form>>);

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    /// Ends with an error once the form is known, so that nothing more is read.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let form = match key.as_str() {
                "strongroom_tables" | "tables" => Form::Tables,
                "exportedAt" | "groups" | "connections" => Form::Gatwy,
                "version" | "app_name" | "created_at" => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                _ => return Err(A::Error::custom("another form")),
            };
            self.0.set(Some(form));
            return Err(A::Error::custom("it is known"));
        }
        Ok(())
    }
}
