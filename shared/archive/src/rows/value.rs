//! Conversion of values for a database. FORMAT.md §5.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::schema::Engine;
use super::text::{BoundedText, Piece, Pieces, check_string, text_within};
use crate::error::{Error, Result};

const NOT_POSTGRES: Error =
    Error::Value("of a PostgreSQL table is an array, or an object other than a $text");
const NOT_BASE64: Error = Error::Value("has a tag whose content is not padded base64");

/// A value of a SQLite table, by storage class.
#[derive(Debug, Clone, PartialEq)]
pub enum SqliteValue {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL, including infinities.
    Real(f64),
    /// TEXT that is valid UTF-8.
    Text(String),
    /// TEXT that is not valid UTF-8.
    TextBytes(Vec<u8>),
    /// BLOB.
    Blob(Vec<u8>),
}

/// The three objects that represent values. Exactly one field is allowed, so no tag can hide behind another.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
enum Tagged<'a> {
    #[serde(rename = "$real", borrow)]
    Real(&'a RawValue),
    #[serde(rename = "$text", borrow)]
    Text(&'a RawValue),
    #[serde(rename = "$blob", borrow)]
    Blob(&'a RawValue),
}

impl SqliteValue {
    /// Parses one value of a row.
    pub fn from_json(value: &RawValue) -> Result<Self> {
        let json = value.get();
        match json.as_bytes().first() {
            Some(b'n') => Ok(Self::Null),
            Some(b'"') => Ok(Self::Text(text_of(json)?.into_owned())),
            Some(b'{') => Self::from_tagged(json),
            Some(b'-' | b'0'..=b'9') => Self::from_number(json),
            _ => Err(Error::Value("of a SQLite table is an array or a boolean")),
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
        match tagged(json)? {
            Tagged::Real(name) => real(name).map(Self::Real),
            Tagged::Text(base64) => Ok(Self::TextBytes(decode(&text_of(base64.get())?)?)),
            Tagged::Blob(base64) => Ok(Self::Blob(decode(&text_of(base64.get())?)?)),
        }
    }
}

/// Every tag is followed by a string.
fn tagged(json: &str) -> Result<Tagged<'_>> {
    const UNKNOWN: Error = Error::Value("is an object without a known tag");
    let tagged: Tagged<'_> = serde_json::from_str(json).map_err(|_| UNKNOWN)?;
    let (Tagged::Real(value) | Tagged::Text(value) | Tagged::Blob(value)) = &tagged;
    if value.get().starts_with('"') { Ok(tagged) } else { Err(UNKNOWN) }
}

fn real(name: &RawValue) -> Result<f64> {
    match text_within(name, 4) {
        BoundedText::Text(name) if name == "inf" => Ok(f64::INFINITY),
        BoundedText::Text(name) if name == "-inf" => Ok(f64::NEG_INFINITY),
        _ => Err(Error::Value(r#"has a "$real" other than "inf" and "-inf""#)),
    }
}

/// The text for the type's input function in PostgreSQL; `None` is NULL. It is UTF-8 unless it comes from a
/// database with the encoding SQL_ASCII.
pub fn pg_text(value: &RawValue) -> Result<Option<Cow<'_, [u8]>>> {
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => Ok(Some(into_bytes(text_of(json)?))),
        Some(b't' | b'f' | b'-' | b'0'..=b'9') => Ok(Some(Cow::Borrowed(json.as_bytes()))),
        Some(b'{') => match tagged(json)? {
            Tagged::Text(base64) => Ok(Some(Cow::Owned(decode(&text_of(base64.get())?)?))),
            _ => Err(NOT_POSTGRES),
        },
        _ => Err(NOT_POSTGRES),
    }
}

fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// Refuses a value that has none of its engine's forms. Nothing is copied: a value can be as long as a row.
pub(crate) fn check_value(engine: Engine, value: &RawValue) -> Result<()> {
    let json = value.get();
    match (engine, json.as_bytes().first()) {
        (_, Some(b'"')) => check_string(json),
        (_, Some(b'{')) => check_tagged(engine, json),
        (Engine::Postgres, _) => pg_text(value).map(drop),
        (Engine::Sqlite, _) => SqliteValue::from_json(value).map(drop),
    }
}

fn check_tagged(engine: Engine, json: &str) -> Result<()> {
    match (tagged(json)?, engine) {
        (Tagged::Text(base64), _) | (Tagged::Blob(base64), Engine::Sqlite) => check_base64(base64.get()),
        (Tagged::Real(name), Engine::Sqlite) => real(name).map(drop),
        (Tagged::Real(_) | Tagged::Blob(_), Engine::Postgres) => Err(NOT_POSTGRES),
    }
}

/// Decodes a base64 string block by block without keeping the result.
fn check_base64(json: &str) -> Result<()> {
    const BLOCK: usize = 4 << 10;
    let mut block = Vec::with_capacity(BLOCK);
    let mut is_padded = false;
    for piece in Pieces::of(json).into_iter().flatten() {
        let mut character = [0; 4];
        let mut bytes = match piece? {
            Piece::Plain(plain) => plain.as_bytes(),
            Piece::Escaped(escaped) => escaped.encode_utf8(&mut character).as_bytes(),
        };
        while !bytes.is_empty() {
            let (taken, rest) = bytes.split_at(bytes.len().min(BLOCK - block.len()));
            block.extend_from_slice(taken);
            bytes = rest;
            if block.len() == BLOCK {
                is_padded = check_block(&block, is_padded)?;
                block.clear();
            }
        }
    }
    if block.is_empty() { Ok(()) } else { check_block(&block, is_padded).map(drop) }
}

/// Whether the block ends in padding, after which no other block is allowed.
fn check_block(block: &[u8], is_after_padding: bool) -> Result<bool> {
    let mut bytes = [0; 3 << 10];
    match STANDARD.decode_slice(block, &mut bytes) {
        Ok(length) if !is_after_padding => Ok(length < block.len() / 4 * 3),
        _ => Err(NOT_BASE64),
    }
}

/// The content of a JSON string; borrowed if it contains no escapes.
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
    bytes.map_err(|_| NOT_BASE64)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn base64_is_checked_as_it_is_decoded() {
        for length in [0, 1, 2, 3, 3071, 3072, 3073, 6144, 6145, 10_000] {
            let base64 = STANDARD.encode(vec![0xa5_u8; length]);
            let escaped = base64.replace('/', r"\/").replace('p', r"\u0070");
            for good in [format!("\"{base64}\""), format!("\"{escaped}\"")] {
                check_base64(&good).unwrap();
            }
            for bad in [format!("\"{base64}=\""), format!("\"{base64}a\""), format!("\"AA=={base64}AAAA\"")] {
                let whole: String = serde_json::from_str(&bad).unwrap();
                assert_eq!(check_base64(&bad).is_err(), decode(&whole).is_err(), "{length}");
            }
        }
        let padded_inside = format!("\"{}AA==AAAA\"", "AAAA".repeat(1023));
        assert!(check_base64(&padded_inside).is_err());
    }

    #[test]
    fn only_strings_stand_behind_a_tag() {
        for (json, good) in [
            (r#"{"$real":"-inf"}"#, true),
            (r#"{"$real":"\u0069nf"}"#, true),
            (r#"{"$real":"nan"}"#, false),
            (r#"{"$real":1}"#, false),
            (r#"{"$blob":null}"#, false),
            (r#"{"$text":"AA=="}"#, true),
            (r#"{"$text":"AA==","$blob":"AA=="}"#, false),
            (r#"{"$text":{"$text":"AA=="}}"#, false),
        ] {
            let value = RawValue::from_string(json.to_owned()).unwrap();
            assert_eq!(check_value(Engine::Sqlite, &value).is_ok(), good, "{json}");
            assert_eq!(SqliteValue::from_json(&value).is_ok(), good, "{json}");
            let good = good && json.starts_with(r#"{"$text""#);
            assert_eq!(check_value(Engine::Postgres, &value).is_ok(), good, "{json}");
            assert_eq!(pg_text(&value).is_ok(), good, "{json}");
        }
    }
}
