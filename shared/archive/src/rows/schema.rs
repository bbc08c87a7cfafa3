//! What a table looked like: the `schema/<table>.json` entries.
//!
//! A restore goes by these, never by guessing from the rows. FORMAT.md is the specification; the field
//! names here are its JSON names.

use serde::{Deserialize, Serialize};

/// The database engine a table came from. It decides which value forms its rows may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// SQLite 3: every value carries its own storage class.
    Sqlite,
    /// PostgreSQL: every value has its column's type.
    Postgres,
}

/// One table, enough to create it plainly and to read its rows back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSchema {
    /// The table's name in the archive: unique across all sources of a backup set.
    pub name: String,
    /// The configured source it was read from.
    pub source: String,
    /// Where its value forms come from.
    pub engine: Engine,
    /// The database schema (PostgreSQL) it lives in; empty for SQLite.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The table's own name inside `namespace`.
    pub table: String,
    /// Columns in their order of definition, generated ones included.
    pub columns: Vec<Column>,
    /// Columns of the primary key in key order; empty when there is none.
    pub primary_key: Vec<String>,
    /// Unique constraints beside the primary key, each a list of columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique: Vec<Vec<String>>,
    /// References to other tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKey>,
    /// Types that the columns use and the engine does not bring (PostgreSQL), in an order in which they
    /// can be created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<UserType>,
    /// The table's own `CREATE TABLE` statement (SQLite only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// How the rows are split (PostgreSQL partitioned tables): the partition key, as the server prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<String>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name, as it is: any text.
    pub name: String,
    /// The type as the database prints it: `bigint`, `numeric(10,2)`, `public.mood[]`; for SQLite the
    /// declared type, which may be empty.
    #[serde(rename = "type")]
    pub type_name: String,
    /// False when NULL is refused.
    pub nullable: bool,
    /// The default expression, as the database prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The expression of a generated column. Its values are in the rows, for readers; a restore leaves
    /// them to the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<String>,
    /// `always` or `by default` for an identity column (PostgreSQL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignKey {
    /// Referencing columns of this table.
    pub columns: Vec<String>,
    /// The referenced table's name: its archive name when it is in the same database.
    pub references: String,
    /// Referenced columns, in the order of `columns`; empty means the primary key (SQLite).
    pub referenced_columns: Vec<String>,
    /// `cascade`, `set null`, `set default`, `restrict` or `no action`.
    pub on_delete: String,
}

/// A type that somebody defined in the database.
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
        /// The type below it.
        base: String,
        /// False when the domain itself refuses NULL.
        nullable: bool,
        /// Check constraints, as the server prints them.
        checks: Vec<String>,
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
    /// Its type, as the database prints it.
    #[serde(rename = "type")]
    pub type_name: String,
}
