//! The primary key of a row, as it travels to a database and back.

use std::fmt;

/// Characters of a key that are shown.
const SHOWN: usize = 200;

/// The values of a row's primary key, in key order.
#[derive(Debug, Clone, PartialEq)]
pub struct RowKey(pub(crate) Vec<KeyPart>);

/// One of them. PostgreSQL prints all of its types as text and reads them again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum KeyPart {
    Text(String),
    Integer(i64),
    Real(f64),
    /// A BLOB, or a text that is not UTF-8.
    Bytes {
        bytes: Vec<u8>,
        is_text: bool,
    },
}

impl RowKey {
    /// What it holds in memory.
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
    /// PostgreSQL's.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Integer(_) | Self::Real(_) | Self::Bytes { .. } => "",
        }
    }
}

/// For people; cut where it is long.
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
