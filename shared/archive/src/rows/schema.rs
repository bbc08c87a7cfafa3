//! Table schemas: the `schema/<table>.json` entries.
//!
//! A restore uses these, and never guesses from the rows. FORMAT.md is the specification; the field names
//! here are its JSON names.

mod database;
mod notes;
mod parts;
mod types;

use serde::{Deserialize, Serialize};

pub use self::database::{DatabaseSchema, View};
pub use self::notes::Notes;
pub use self::parts::{
    Constraint, ConstraintKind, ForeignKey, Index, Partition, Policy, RowSecurity, Trigger, TriggerState,
};
pub use self::types::{Attribute, UserType};

/// The database engine that a table comes from. It determines the value forms that its rows can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// SQLite 3: every value has its own storage class.
    Sqlite,
    /// PostgreSQL: every value has its column's type.
    Postgres,
}

/// A table, described completely enough to compare it with another one and to create it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSchema {
    /// The table's name in the archive, unique across all sources of the archive.
    pub name: String,
    /// The configured source that it was read from.
    pub source: String,
    /// The engine, which determines the value forms.
    pub engine: Engine,
    /// The database schema (PostgreSQL) that contains it; empty for SQLite.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The table's own name in `namespace`.
    pub table: String,
    /// Columns in their order of definition, generated ones included.
    pub columns: Vec<Column>,
    /// Columns of the primary key, in key order; empty if there is none.
    pub primary_key: Vec<String>,
    /// Keys, checks and exclusions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// References to other tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKey>,
    /// Indexes not created by a constraint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
    /// Triggers on changes of rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// Rules of the query rewriter (PostgreSQL).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Trigger>,
    /// Row security policies (PostgreSQL).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Policy>,
    /// Whether the policies apply, and to which roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_security: Option<RowSecurity>,
    /// The replica identity, if it is not the primary key (PostgreSQL): `full`, `nothing`, or `index`
    /// followed by a space and the index's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_identity: Option<String>,
    /// The tables whose columns this one inherits (PostgreSQL), in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inherits: Vec<TableName>,
    /// The partition key of a partitioned table (PostgreSQL), as printed by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<String>,
    /// The partitions, including those whose rows are left out, each after its parent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<Partition>,
    /// True for a table that is emptied after a crash (PostgreSQL).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlogged: bool,
    /// Types that the columns use and that the engine does not include (PostgreSQL), in an order in which
    /// they can be created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<UserType>,
    /// The table's own `CREATE TABLE` statement (SQLite only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// Notes of other programs, which are ignored.
    #[serde(default, skip_serializing)]
    pub notes: Notes,
}

impl TableSchema {
    /// A table without columns, with the same name in its source and in the archive.
    #[must_use]
    pub fn empty(source: &str, engine: Engine, table: &str) -> Self {
        Self {
            name: table.to_owned(),
            source: source.to_owned(),
            engine,
            namespace: String::new(),
            table: table.to_owned(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            constraints: Vec::new(),
            foreign_keys: Vec::new(),
            indexes: Vec::new(),
            triggers: Vec::new(),
            rules: Vec::new(),
            policies: Vec::new(),
            row_security: None,
            replica_identity: None,
            inherits: Vec::new(),
            partition_key: None,
            partitions: Vec::new(),
            unlogged: false,
            types: Vec::new(),
            sql: None,
            notes: Notes,
        }
    }

    /// The columns of each unique constraint.
    pub fn unique(&self) -> impl Iterator<Item = &[String]> {
        let unique = self.constraints.iter().filter(|one| one.kind == ConstraintKind::Unique);
        unique.map(|one| one.columns.as_slice())
    }
}

/// A table of the same database.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableName {
    /// The database schema (PostgreSQL); empty for SQLite.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its own name.
    pub table: String,
}

/// One column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its exact name: any text.
    pub name: String,
    /// The type as printed by the database: `bigint`, `numeric(10,2)`, `public.mood[]`; for SQLite the
    /// declared type, which may be empty.
    #[serde(rename = "type")]
    pub type_name: String,
    /// False if NULL is refused.
    pub nullable: bool,
    /// The collation, quoted and with its schema, if it is not the type's default (PostgreSQL). SQLite's is
    /// in [`TableSchema::sql`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// The default expression, as printed by the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The expression of a generated column; `stored` or `virtual` for SQLite, whose expression is in
    /// [`TableSchema::sql`]. Its values are in the rows, for readers; a restore lets the database compute
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<String>,
    /// True for a generated column that is computed when it is read (PostgreSQL 18, SQLite).
    #[serde(rename = "virtual", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_virtual: bool,
    /// `always` or `by default` for an identity column (PostgreSQL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}
