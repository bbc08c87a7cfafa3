//! The primary key of a row, as it travels to a database and back.

use std::fmt;

use serde_json::{Value, json};

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
    /// A BLOB, or a text that JSON cannot carry.
    Bytes {
        bytes: Vec<u8>,
        is_text: bool,
    },
}

impl KeyPart {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Integer(_) | Self::Real(_) | Self::Bytes { .. } => "",
        }
    }

    /// How it is carried, and the value: `v` as it is, `b` the hex digits of a BLOB, `t` those of a text.
    fn tagged(&self) -> [Value; 2] {
        match self {
            Self::Text(text) => [json!("v"), json!(text)],
            Self::Integer(number) => [json!("v"), json!(number)],
            // JSON has no infinity.
            Self::Real(number) if number.is_infinite() => [json!("r"), json!(number.is_sign_positive())],
            Self::Real(number) => [json!("v"), json!(number)],
            Self::Bytes { bytes, is_text } => {
                [json!(if *is_text { "t" } else { "b" }), json!(hex::encode(bytes))]
            }
        }
    }
}

/// For SQLite's `json_each`: the values before the key, and then each part with its tag.
pub(crate) fn json_list(before: &[&str], key: &RowKey) -> Value {
    let mut list: Vec<Value> = before.iter().map(|text| json!(text)).collect();
    list.extend(key.0.iter().flat_map(KeyPart::tagged));
    Value::Array(list)
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
