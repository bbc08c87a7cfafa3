//! The SQLite values that a PostgreSQL column accepts.
//!
//! | column | INTEGER | REAL | TEXT | BLOB |
//! |---|---|---|---|---|
//! | smallint, integer, bigint, oid | yes | no | as the server reads it | no |
//! | real, double precision, numeric | yes | yes, infinities too | as the server reads it | no |
//! | boolean | 0 and 1 | no | as the server reads it | no |
//! | text, varchar, char, citext, name | its digits | its digits, no infinity | yes, without NUL | no |
//! | bytea | no | no | no | yes |
//! | uuid | no | no | as the server reads it | of 16 bytes |
//! | date, time, timestamp, interval | no | no | as the server reads it; without a zone it is UTC | no |
//! | any other | as the server reads its digits | the same | as the server reads it | no |
//!
//! A value that the server cannot parse ends the restore. A number is not accepted as a time, because the archive does not
//! say whether it counts days, seconds or milliseconds.

use strongroom_archive::schema::UserType;

use super::Problem;

const TIME: Problem = "it is a number, and it is unknown whether it counts seconds or milliseconds";
const REAL: Problem = "it is a real number, and the column takes integers";
const TRUTH: Problem = "it is a number other than 0 and 1, and the column takes booleans";
const INFINITE: Problem = "it is infinite, and the column takes finite numbers only";
const NUMBER: Problem = "it is a number, and the column takes bytes or an id";
const TEXT: Problem = "it is a text, and the column takes bytes";
const BLOB: Problem = "it is a BLOB, and the column takes no bytes";

/// The kind of values that a column accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postgres::load) enum Form {
    Integer,
    Number,
    Boolean,
    Text,
    Bytes,
    Uuid,
    Time,
    Other,
}

impl Form {
    /// The form of a column type as the server prints it; `types` contains its domains.
    pub(in crate::postgres::load) fn of(type_name: &str, types: &[UserType]) -> Self {
        let domain = types.iter().find_map(|one| match one {
            UserType::Domain { name, base, .. } if name == type_name => Some(base.as_str()),
            _ => None,
        });
        // A domain is never over itself, so this terminates.
        match domain {
            Some(base) if base != type_name => Self::of(base, types),
            _ => Self::of_base(type_name),
        }
    }

    fn of_base(type_name: &str) -> Self {
        if type_name.ends_with(']') {
            return Self::Other;
        }
        let bare = type_name.split(['(', ' ']).next().unwrap_or_default();
        match bare.rsplit_once('.').map_or(bare, |(_, name)| name) {
            "smallint" | "integer" | "bigint" | "oid" => Self::Integer,
            "real" | "double" | "numeric" => Self::Number,
            "boolean" => Self::Boolean,
            "text" | "character" | "name" | "citext" => Self::Text,
            "bytea" => Self::Bytes,
            "uuid" => Self::Uuid,
            "date" | "time" | "timestamp" | "interval" => Self::Time,
            _ => Self::Other,
        }
    }

    pub(super) fn check_number(self, digits: &[u8]) -> Result<(), Problem> {
        let is_real = digits.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
        match self {
            Self::Integer if is_real => Err(REAL),
            Self::Boolean if !matches!(digits, b"0" | b"1") => Err(TRUTH),
            Self::Time => Err(TIME),
            Self::Bytes | Self::Uuid => Err(NUMBER),
            _ => Ok(()),
        }
    }

    pub(super) fn check_infinity(self) -> Result<(), Problem> {
        if self == Self::Number { Ok(()) } else { Err(INFINITE) }
    }

    pub(super) fn check_text(self) -> Result<(), Problem> {
        if self == Self::Bytes { Err(TEXT) } else { Ok(()) }
    }

    pub(super) fn check_blob(self, bytes: &[u8]) -> Result<(), Problem> {
        match self {
            Self::Bytes => Ok(()),
            Self::Uuid if bytes.len() == 16 => Ok(()),
            _ => Err(BLOB),
        }
    }
}
