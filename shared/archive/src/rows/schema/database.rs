//! The objects of a database other than tables.

use serde::{Deserialize, Serialize};

use super::{Engine, Index, Notes, TableName, Trigger};

/// Objects of a database other than tables: a `databases/<source>.json` entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSchema {
    /// The configured source that it was read from.
    pub source: String,
    /// The engine of these statements.
    pub engine: Engine,
    /// Views and materialized views, in an order in which they can be created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<View>,
    /// Notes of other programs, which are ignored.
    #[serde(default, skip_serializing)]
    pub notes: Notes,
}

/// A view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Its database schema (PostgreSQL); empty for SQLite.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its own name.
    pub name: String,
    /// True for a materialized view (PostgreSQL): stale after a restore until it is refreshed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub materialized: bool,
    /// The query (PostgreSQL), or the whole `CREATE VIEW` statement (SQLite).
    pub definition: String,
    /// Options such as `security_barrier=true` (PostgreSQL).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Tables and views that it reads directly (PostgreSQL; SQLite does not report them).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<TableName>,
    /// `INSTEAD OF` triggers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// Its rules, except the query itself (PostgreSQL).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Trigger>,
    /// Indexes of a materialized view.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
}
