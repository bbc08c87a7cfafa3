//! One row: an object whose keys are exactly the columns, in order.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::quote::Quoted;

/// Maximum nesting: the row, and the tag of a value.
const MOST_DEPTH: usize = 2;
/// Shorter rows can be nested to any depth.
const SHORT: usize = 1 << 20;

/// Splits a row into its values; the error is a verb phrase about the line.
pub(super) fn parse<'a>(line: &'a [u8], columns: &[String]) -> Result<Vec<&'a RawValue>, String> {
    if line.len() > SHORT && is_deep(line) {
        return Err(
            "is not a row of this table: a value is an array or an object inside another one".to_owned()
        );
    }
    let text = std::str::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())?;
    let mut json = serde_json::Deserializer::from_str(text);
    let values = json.deserialize_map(Row(columns));
    let values = values.and_then(|values| json.end().map(|()| values));
    values.map_err(|error| format!("is not a row of this table: {error}"))
}

/// Whether brackets are nested deeper than in any row. `serde_json` records each open bracket, and its buffer
/// for them would exceed the length of a long row that consists of brackets.
fn is_deep(line: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut bytes = line.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'{' | b'[' if depth == MOST_DEPTH => return true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
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
                return Err(A::Error::custom(format_args!("the column {} is missing", Quoted(column))));
            }
            values.push(map.next_value()?);
        }
        if map.next_key::<IgnoredAny>()?.is_some() {
            return Err(A::Error::custom("there are more columns than the schema has"));
        }
        Ok(values)
    }
}

/// Compares a key without allocating a `String`.
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
        write!(formatter, "the column {}", Quoted(self.0))
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<(), E> {
        if key == self.0 {
            return Ok(());
        }
        Err(E::custom(format_args!("the column {} is expected, not {}", Quoted(self.0), Quoted(key))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_of_a_value_are_told_from_those_of_a_text() {
        for (line, deep) in [
            (r#"{"a":{"$blob":""},"b":{"$real":"inf"}}"#, false),
            (r#"{"a":"[[[{{{","b":"\"[[[\\"}"#, false),
            (r#"{"a":[1],"b":[2]}"#, false),
            (r#"{"a":[[1]]}"#, true),
            (r#"{"a":"\\","b":[{"#, true),
        ] {
            assert_eq!(is_deep(line.as_bytes()), deep, "{line}");
        }
    }
}
