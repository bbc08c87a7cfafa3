//! Groups and connections as in the file.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Gatwy's id of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(untagged, expecting = "an id is neither text nor an integer")]
pub enum Id {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Text(text) => write!(formatter, "{:?}", text.chars().take(100).collect::<String>()),
        }
    }
}

/// A folder of connections.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Group {
    /// Unique among the groups.
    pub id: Id,
    /// Never empty.
    pub name: String,
    /// The group that contains it.
    pub parent_id: Option<Id>,
    /// Its position among others.
    pub sort_order: Option<i64>,
}

/// A host to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Connection {
    /// Unique among the connections.
    pub id: Id,
    /// Never empty.
    pub name: String,
    /// Never empty: `ssh`, `rdp`, …
    pub protocol: String,
    /// Never empty.
    pub host: String,
    /// Not 0.
    pub port: Option<u16>,
    /// The login name.
    pub username: Option<String>,
    /// The group that contains it.
    pub group_id: Option<Id>,
    /// Whether others can use it. Gatwy writes the value in SQLite: 0 or 1.
    #[serde(default, deserialize_with = "flag")]
    pub shared: Option<bool>,
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "`shared` is neither 0, 1 nor a boolean")]
    enum Flag {
        Number(i64),
        Boolean(bool),
    }
    match Option::<Flag>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Flag::Boolean(shared)) => Ok(Some(shared)),
        Some(Flag::Number(number @ (0 | 1))) => Ok(Some(number == 1)),
        Some(Flag::Number(other)) => Err(Error::custom(format!("`shared` is {other}, not 0 or 1"))),
    }
}
