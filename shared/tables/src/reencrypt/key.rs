//! A row's primary key, as it is read from a database and sent back.

use std::fmt;

/// Maximum number of characters of a key that are displayed.
const SHOWN: usize = 200;

/// The values of a row's primary key, in key order.
#[derive(Debug, Clone, PartialEq)]
pub struct RowKey(pub(crate) Vec<KeyPart>);

/// One key value. PostgreSQL prints all its types as text and parses them again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum KeyPart {
    Text(String),
    Integer(i64),
    Real(f64),
    /// A BLOB, or text that is not UTF-8.
    Bytes {
        bytes: Vec<u8>,
        is_text: bool,
    },
}

impl RowKey {
    /// Size in memory.
    pub(super) fn bytes(&self) -> usize {
        let of_part = |part: &KeyPart| match part {
            KeyPart::Text(text) => text.len(),
            KeyPart::Integer(_) | KeyPart::Real(_) => 8,
            KeyPart::Bytes { bytes, .. } => bytes.len(),
        };
        self.0.iter().map(of_part).sum()
    }
}

impl KeyPart {
    /// The text of a PostgreSQL key value.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Integer(_) | Self::Real(_) | Self::Bytes { .. } => "",
        }
    }
}

/// For display; cut if long.
impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&parts.join(",").chars().take(SHOWN).collect::<String>())
    }
}

impl fmt::Display for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number}"),
            Self::Bytes { bytes, .. } => f.write_str(&hex::encode(bytes)),
        }
    }
}
