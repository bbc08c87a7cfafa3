//! How a column converts a value that is written to it.
//!
//! SQLite converts a value to another storage class if the column's declared type requires it
//! (<https://www.sqlite.org/datatype3.html>, section 3). An archive has the values after that conversion, so nothing
//! changes on the way back, unless the column in the archive has another type or is from another database. A value that
//! would change is refused: otherwise it would silently come back as a different value.

use strongroom_archive::SqliteValue;

/// The storage class that a column prefers or requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affinity {
    /// Values stay as they are: BLOB or no type, and ANY in a STRICT table.
    Any,
    Text,
    /// INTEGER and NUMERIC, which differ only in casts.
    Numeric,
    Real,
    /// A type of a STRICT table, which accepts nothing else.
    Only(Class),
}

/// A storage class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Integer,
    Real,
    Text,
    Blob,
}

impl Affinity {
    pub(super) fn of(declared: &str, is_strict: bool) -> Self {
        let declared = declared.to_ascii_uppercase();
        if is_strict {
            return match declared.trim() {
                "INT" | "INTEGER" => Self::Only(Class::Integer),
                "REAL" => Self::Only(Class::Real),
                "TEXT" => Self::Only(Class::Text),
                "BLOB" => Self::Only(Class::Blob),
                _ => Self::Any,
            };
        }
        let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
        match () {
            () if has(&["INT"]) => Self::Numeric,
            () if has(&["CHAR", "CLOB", "TEXT"]) => Self::Text,
            () if declared.is_empty() || has(&["BLOB"]) => Self::Any,
            () if has(&["REAL", "FLOA", "DOUB"]) => Self::Real,
            () => Self::Numeric,
        }
    }

    /// Describes how the value would change; `None` if it stays as it is.
    pub(super) fn changes(self, value: &SqliteValue) -> Option<&'static str> {
        let class = Class::of(value)?;
        match (self, value) {
            (Self::Only(only), _) if only != class => {
                Some("a column of a STRICT table takes one storage class only")
            }
            (Self::Text, SqliteValue::Integer(_) | SqliteValue::Real(_)) => {
                Some("its type would turn the number into text")
            }
            (Self::Real, SqliteValue::Integer(_)) => {
                Some("its type would turn the integer into a floating-point number")
            }
            (Self::Numeric, SqliteValue::Real(real)) if is_integer(*real) => {
                Some("its type would turn the floating-point number into an integer")
            }
            (Self::Numeric | Self::Real, SqliteValue::Text(text)) if is_number(text) => {
                Some("its type would turn the text into a number")
            }
            _ => None,
        }
    }
}

impl Class {
    fn of(value: &SqliteValue) -> Option<Self> {
        match value {
            SqliteValue::Null => None,
            SqliteValue::Integer(_) => Some(Self::Integer),
            SqliteValue::Real(_) => Some(Self::Real),
            SqliteValue::Text(_) | SqliteValue::TextBytes(_) => Some(Self::Text),
            SqliteValue::Blob(_) => Some(Self::Blob),
        }
    }
}

/// Whether a double is stored as an integer where integers are preferred: a whole number strictly within 64 bits.
fn is_integer(real: f64) -> bool {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    real.fract() == 0.0 && real > -LIMIT && real < LIMIT
}

/// Whether SQLite parses the whole text as a number, with surrounding white space.
fn is_number(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_exponent = |text: &str| {
        let text = text.strip_prefix(['+', '-']).unwrap_or(text);
        !text.is_empty() && digits(text)
    };
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(is_exponent)
}
