//! The parts of a table other than its columns.

use serde::{Deserialize, Serialize};

use super::TableName;

/// A constraint other than a foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    /// Its name; empty for SQLite, whose names are in [`TableSchema::sql`](super::TableSchema::sql).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The kind of constraint.
    pub kind: ConstraintKind,
    /// The columns that it names, in its order. Expressions are omitted.
    pub columns: Vec<String>,
    /// True if two NULLs are considered equal (PostgreSQL 15).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nulls_not_distinct: bool,
    /// As printed by the server, with all its clauses: `CHECK ((price > 0))`. Empty for SQLite.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub definition: String,
}

/// The kinds of constraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConstraintKind {
    /// The primary key.
    PrimaryKey,
    /// No two rows are equal in the columns.
    Unique,
    /// A condition on each row. SQLite's are in [`TableSchema::sql`](super::TableSchema::sql).
    Check,
    /// No two rows satisfy the exclusion's comparison.
    Exclusion,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignKey {
    /// Its name; empty for SQLite.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Referencing columns of this table.
    pub columns: Vec<String>,
    /// The referenced table of the same database.
    pub references: TableName,
    /// Referenced columns, in the order of `columns`; empty means the primary key (SQLite).
    pub referenced_columns: Vec<String>,
    /// `cascade`, `set null`, `set default`, `restrict` or `no action`.
    pub on_delete: String,
    /// The same, for a change of the referenced columns.
    pub on_update: String,
    /// `simple`, or `full`: NULL in all columns or in none. SQLite only supports `simple`.
    #[serde(rename = "match")]
    pub match_type: String,
    /// True if a transaction can defer the check (PostgreSQL). SQLite's is in [`TableSchema::sql`](super::TableSchema::sql).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deferrable: bool,
    /// True if the check is deferred by default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub initially_deferred: bool,
    /// As printed by the server, with all its clauses. Empty for SQLite.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub definition: String,
}

/// An index not created by a constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// The whole `CREATE INDEX` statement.
    pub definition: String,
}

/// A trigger, or a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// The whole statement that creates it.
    pub definition: String,
    /// When it fires (PostgreSQL); absent for SQLite, whose triggers always fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TriggerState>,
}

/// The sessions in which a trigger fires, by `session_replication_role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TriggerState {
    /// In `origin` and `local`, the default for a new trigger.
    Origin,
    /// In none.
    Disabled,
    /// In `replica`.
    Replica,
    /// In all.
    Always,
}

/// A row security policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// `all`, `select`, `insert`, `update` or `delete`.
    pub command: String,
    /// False for a restrictive policy.
    pub permissive: bool,
    /// The roles that it applies to; `public` is everyone.
    pub roles: Vec<String>,
    /// The condition for visible rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub using: Option<String>,
    /// The condition for written rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
}

/// Whether a table's policies apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSecurity {
    /// They apply.
    pub enabled: bool,
    /// They apply to the table's owner too.
    pub forced: bool,
}

/// A partition at any level, with its own properties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Its database schema.
    pub namespace: String,
    /// Its own name.
    pub table: String,
    /// The partitioned table that is its direct parent.
    pub of: TableName,
    /// The rows that it accepts, as printed by the server: `FOR VALUES IN ('a')`.
    pub bound: String,
    /// The partition key for its own partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<String>,
    /// Its own constraints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// Its own foreign keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKey>,
    /// Its own indexes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
    /// Its own triggers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
}
