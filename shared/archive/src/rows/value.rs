//! Values on their way back into a database. FORMAT.md §5.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::schema::Engine;
use crate::error::{Error, Result};

/// A value of a SQLite table, by storage class.
#[derive(Debug, Clone, PartialEq)]
pub enum SqliteValue {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL, infinities included.
    Real(f64),
    /// TEXT that is valid UTF-8.
    Text(String),
    /// TEXT that is not.
    TextBytes(Vec<u8>),
    /// BLOB.
    Blob(Vec<u8>),
}

/// The three objects that stand for values. Exactly one field, so no tag can hide behind another.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
enum Tagged<'a> {
    #[serde(rename = "$real")]
    Real(&'a str),
    #[serde(rename = "$text")]
    Text(Cow<'a, str>),
    #[serde(rename = "$blob")]
    Blob(Cow<'a, str>),
}

impl SqliteValue {
    /// Reads one value of a row.
    pub fn from_json(value: &RawValue) -> Result<Self> {
        let json = value.get();
        match json.as_bytes().first() {
            Some(b'n') => Ok(Self::Null),
            Some(b'"') => Ok(Self::Text(text_of(json)?.into_owned())),
            Some(b'{') => Self::from_tagged(json),
            Some(b'-' | b'0'..=b'9') => Self::from_number(json),
            _ => Err(Error::Value("of a SQLite table is an array or a truth value")),
        }
    }

    fn from_number(json: &str) -> Result<Self> {
        if !json.contains(['.', 'e', 'E']) {
            let integer = json.parse().map(Self::Integer);
            return integer.map_err(|_| Error::Value("is an integer of more than 64 bits"));
        }
        match json.parse::<f64>() {
            Ok(real) if real.is_finite() => Ok(Self::Real(real)),
            _ => Err(Error::Value("is a number too large for a double")),
        }
    }

    fn from_tagged(json: &str) -> Result<Self> {
        let tagged = serde_json::from_str(json);
        let tagged = tagged.map_err(|_| Error::Value("is an object, but none of the known tags"))?;
        match tagged {
            Tagged::Real("inf") => Ok(Self::Real(f64::INFINITY)),
            Tagged::Real("-inf") => Ok(Self::Real(f64::NEG_INFINITY)),
            Tagged::Real(_) => Err(Error::Value(r#"has a "$real" other than "inf" and "-inf""#)),
            Tagged::Text(base64) => Ok(Self::TextBytes(decode(&base64)?)),
            Tagged::Blob(base64) => Ok(Self::Blob(decode(&base64)?)),
        }
    }
}

/// The text to give to the type's input function in PostgreSQL; `None` is NULL.
pub fn pg_text(value: &RawValue) -> Result<Option<Cow<'_, str>>> {
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => text_of(json).map(Some),
        Some(b't' | b'f' | b'-' | b'0'..=b'9') => Ok(Some(Cow::Borrowed(json))),
        _ => Err(Error::Value("of a PostgreSQL table is an object or an array")),
    }
}

/// Refuses a value that is in none of the forms of its engine.
pub(crate) fn check_value(engine: Engine, value: &RawValue) -> Result<()> {
    match engine {
        Engine::Postgres => pg_text(value).map(drop),
        // Decoding would copy every text; looking is enough.
        Engine::Sqlite if value.get().starts_with('"') => text_of(value.get()).map(drop),
        Engine::Sqlite => SqliteValue::from_json(value).map(drop),
    }
}

/// The content of a JSON string; borrowed when nothing in it is escaped.
fn text_of(json: &str) -> Result<Cow<'_, str>> {
    let inner = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
        _ => {
            let text = serde_json::from_str(json).map(Cow::Owned);
            text.map_err(|_| Error::Value("is a string with an escape that stands for no character"))
        }
    }
}

fn decode(base64: &str) -> Result<Vec<u8>> {
    let bytes = STANDARD.decode(base64);
    bytes.map_err(|_| Error::Value("has a tag whose content is not padded base64"))
}
