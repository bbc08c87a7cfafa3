//! Groups and connections as the file has them.

use std::fmt;

use serde::Deserialize;

/// What Gatwy knows an entry by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(untagged, expecting = "an id is neither a text nor a whole number")]
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
    /// The group that it is in.
    pub parent_id: Option<Id>,
    /// Its place among others.
    pub sort_order: Option<i64>,
}

/// A host that is connected to.
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
    /// Who logs in.
    pub username: Option<String>,
    /// The group that it is in.
    pub group_id: Option<Id>,
    /// Whether others may use it.
    pub shared: Option<bool>,
}
