//! Values from a PostgreSQL archive in a SQLite database.
//!
//! | type in the archive | value in SQLite |
//! |---|---|
//! | smallint, integer, bigint, oid | INTEGER |
//! | boolean | INTEGER, 0 or 1 |
//! | real, double precision | REAL; NaN is refused |
//! | numeric | TEXT with its digits |
//! | bytea | BLOB |
//! | everything else | TEXT, as the server prints it |
//!
//! If a column's declared type would change such values, the restore is refused, and the refusal names the column.

use serde_json::value::RawValue;
use strongroom_archive::schema::{TableSchema, UserType};
use strongroom_archive::{SqliteValue, pg_text};

use super::affinity::{Affinity, Class};

/// How values of a type are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Integer,
    Boolean,
    Real,
    /// Digits as text.
    Digits,
    Bytes,
    /// Text that is never a number, except a JSON number such as `5`: a column that would change it refuses it when it is
    /// encoded.
    Words,
    Text,
}

impl Form {
    /// The form of a type as the server prints it. A domain counts as its base type.
    pub(super) fn of(type_name: &str, table: &TableSchema) -> Self {
        let base = table.types.iter().find_map(|found| match found {
            UserType::Domain { name, base, .. } if name == type_name => Some(base.as_str()),
            _ => None,
        });
        if let Some(base) = base.filter(|base| *base != type_name) {
            return Self::of(base, table);
        }
        if type_name.ends_with("[]") {
            return Self::Words;
        }
        match type_name.split('(').next().unwrap_or_default().trim() {
            "smallint" | "integer" | "bigint" | "oid" => Self::Integer,
            "boolean" => Self::Boolean,
            "real" | "double precision" => Self::Real,
            "numeric" => Self::Digits,
            "bytea" => Self::Bytes,
            "uuid" | "date" | "json" | "jsonb" | "interval" | "inet" | "cidr" | "macaddr" => Self::Words,
            name if name.starts_with("time") => Self::Words,
            _ => Self::Text,
        }
    }

    /// Why a column cannot accept such values.
    pub(super) fn misfit(self, affinity: Affinity) -> Option<String> {
        let fits = match affinity {
            Affinity::Any => true,
            Affinity::Text => matches!(self, Self::Digits | Self::Bytes | Self::Words | Self::Text),
            Affinity::Numeric => matches!(self, Self::Integer | Self::Boolean | Self::Bytes | Self::Words),
            Affinity::Real => matches!(self, Self::Real | Self::Bytes | Self::Words),
            Affinity::Only(class) => self.class() == class,
        };
        let (is, wanted) = match self {
            Self::Integer => ("integers", "INTEGER"),
            Self::Boolean => ("booleans, kept as 0 and 1", "INTEGER"),
            Self::Real => ("floating-point numbers", "REAL"),
            Self::Digits => ("decimal numbers, kept as text so that no digit is lost", "TEXT"),
            Self::Bytes => ("bytes", "BLOB"),
            Self::Words | Self::Text => ("texts", "TEXT"),
        };
        (!fits).then(|| format!("they are {is}, which its type would change; declare it {wanted}"))
    }

    /// The declared type that leaves such values as they are.
    pub(super) fn declared(self) -> &'static str {
        match self {
            Self::Integer | Self::Boolean => "INTEGER",
            Self::Real => "REAL",
            Self::Bytes => "BLOB",
            Self::Digits | Self::Words | Self::Text => "TEXT",
        }
    }

    fn class(self) -> Class {
        match self {
            Self::Integer | Self::Boolean => Class::Integer,
            Self::Real => Class::Real,
            Self::Bytes => Class::Blob,
            Self::Digits | Self::Words | Self::Text => Class::Text,
        }
    }

    pub(super) fn value(self, json: &RawValue) -> Result<SqliteValue, String> {
        let Some(bytes) = pg_text(json).map_err(|error| error.to_string())? else {
            return Ok(SqliteValue::Null);
        };
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return Ok(SqliteValue::TextBytes(bytes.into_owned()));
        };
        match self {
            Self::Integer => text.parse().map(SqliteValue::Integer).map_err(|_| not("an integer")),
            Self::Boolean => match text {
                "true" => Ok(SqliteValue::Integer(1)),
                "false" => Ok(SqliteValue::Integer(0)),
                _ => Err(not("a boolean")),
            },
            Self::Real => real(text),
            Self::Bytes => blob(text),
            Self::Digits | Self::Words | Self::Text => Ok(SqliteValue::Text(text.to_owned())),
        }
    }
}

fn real(text: &str) -> Result<SqliteValue, String> {
    match text.parse::<f64>() {
        Ok(real) if real.is_nan() => Err("SQLite has no NaN".to_owned()),
        Ok(real) => Ok(SqliteValue::Real(real)),
        Err(_) => Err(not("a number")),
    }
}

fn blob(text: &str) -> Result<SqliteValue, String> {
    let bytes = text.strip_prefix("\\x").and_then(|digits| hex::decode(digits).ok());
    bytes.map(SqliteValue::Blob).ok_or_else(|| not("bytes in hexadecimal"))
}

fn not(what: &str) -> String {
    format!("it is not {what}")
}
