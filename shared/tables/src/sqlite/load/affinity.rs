//! What a column makes of a value that is written to it.
//!
//! SQLite turns a value into another storage class where the column's declared type asks for it
//! (<https://www.sqlite.org/datatype3.html>, section 3). An archive has what the database had after that, so that nothing
//! changes on the way back, unless the column was another one then, or its database. Such a value is refused: it would
//! silently come back as another one.

use strongroom_archive::SqliteValue;

/// What a column prefers, or demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affinity {
    /// Anything stays what it is: BLOB or no type, and ANY of a STRICT table.
    Any,
    Text,
    /// INTEGER and NUMERIC, which differ in casts alone.
    Numeric,
    Real,
    /// A STRICT table's type, which takes nothing else.
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

    /// What would become of the value; `None` where it stays as it is.
    pub(super) fn changes(self, value: &SqliteValue) -> Option<&'static str> {
        let class = Class::of(value)?;
        match (self, value) {
            (Self::Only(only), _) if only != class => Some("a STRICT table takes one storage class alone"),
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

/// Whether a double is stored as an integer where that is preferred: a whole number strictly inside of 64 bits.
fn is_integer(real: f64) -> bool {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    real.fract() == 0.0 && real > -LIMIT && real < LIMIT
}

/// Whether SQLite reads the whole text as a number, with blanks around it.
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
