//! Types that a database defines itself (PostgreSQL).

use serde::{Deserialize, Serialize};

use super::Constraint;

/// A user-defined type of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum UserType {
    /// An enumeration and its labels in order.
    Enum {
        /// The name as columns use it.
        name: String,
        /// The labels in sort order.
        labels: Vec<String>,
    },
    /// A domain over another type.
    Domain {
        /// The name as columns use it.
        name: String,
        /// The type that it is based on.
        base: String,
        /// False if the domain itself refuses NULL.
        nullable: bool,
        /// The collation, as for a column.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        collation: Option<String>,
        /// The default expression, as printed by the server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<String>,
        /// Check constraints.
        checks: Vec<Constraint>,
    },
    /// A row type.
    Composite {
        /// The name as columns use it.
        name: String,
        /// Attribute names and types in order.
        attributes: Vec<Attribute>,
    },
    /// A range over a subtype.
    Range {
        /// The name as columns use it.
        name: String,
        /// The type of its bounds.
        subtype: String,
    },
}

/// One attribute of a composite type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its type, as printed by the database.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The collation, as for a column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
}
