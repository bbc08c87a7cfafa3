//! One row: an object with exactly the columns as keys, in their order.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Splits a row into its values; the error is a verb phrase about the line.
pub(super) fn parse<'a>(line: &'a [u8], columns: &[String]) -> Result<Vec<&'a RawValue>, String> {
    let text = std::str::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())?;
    let mut json = serde_json::Deserializer::from_str(text);
    let values = json.deserialize_map(Row(columns));
    let values = values.and_then(|values| json.end().map(|()| values));
    values.map_err(|error| format!("is not a row of this table: {error}"))
}

struct Row<'c>(&'c [String]);

impl<'de> Visitor<'de> for Row<'_> {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with the columns of the schema in order")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::with_capacity(self.0.len());
        for column in self.0 {
            if map.next_key_seed(Key(column))?.is_none() {
                return Err(A::Error::custom(format_args!("the column {column:?} is missing")));
            }
            values.push(map.next_value()?);
        }
        if map.next_key::<IgnoredAny>()?.is_some() {
            return Err(A::Error::custom("there are more columns than the schema has"));
        }
        Ok(values)
    }
}

/// Compares a key without making a `String` of it.
struct Key<'c>(&'c str);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the column {:?}", self.0)
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<(), E> {
        if key == self.0 {
            return Ok(());
        }
        Err(E::custom(format_args!("the column {:?} is expected, not {key:?}", self.0)))
    }
}
