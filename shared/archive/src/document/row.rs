//! One row of a document: an object with exactly the columns as keys, in any order.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::quote::Quoted;

/// The columns of a table by name.
pub(super) struct Columns {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Columns {
    pub(super) fn new(names: Vec<String>) -> Self {
        let places = names.iter().cloned().enumerate().map(|(place, name)| (name, place)).collect();
        Self { names, places }
    }

    /// Splits a row into its values, in column order; the error is a verb phrase about the row.
    pub(super) fn values<'a>(&self, row: &'a str) -> Result<Vec<&'a RawValue>, String> {
        if !row.starts_with('{') {
            return Err("is not an object".to_owned());
        }
        let mut json = serde_json::Deserializer::from_str(row);
        json.deserialize_map(Row(self)).map_err(|error| format!("is not a row of this table: {error}"))
    }

    /// Writers keep the order, so most keys are at their expected position.
    fn place(&self, key: &str, expected: usize) -> Option<usize> {
        if self.names.get(expected).is_some_and(|name| name == key) {
            return Some(expected);
        }
        self.places.get(key).copied()
    }
}

struct Row<'c>(&'c Columns);

impl<'de> Visitor<'de> for Row<'_> {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with the columns of the schema")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let columns = self.0;
        let mut values: Vec<Option<&RawValue>> = vec![None; columns.names.len()];
        let mut expected = 0;
        while let Some(Key(key)) = map.next_key()? {
            let Some(place) = columns.place(&key, expected) else {
                let key = Quoted(&key);
                return Err(A::Error::custom(format_args!("its schema has no column {key}")));
            };
            if values[place].replace(map.next_value()?).is_some() {
                return Err(A::Error::custom(format_args!("the column {} occurs twice", Quoted(&key))));
            }
            expected = place + 1;
        }
        let missing = values.iter().position(Option::is_none);
        if let Some(name) = missing.and_then(|place| columns.names.get(place)) {
            return Err(A::Error::custom(format_args!("the column {} is missing", Quoted(name))));
        }
        Ok(values.into_iter().flatten().collect())
    }
}

/// Borrowed unless it contains escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
