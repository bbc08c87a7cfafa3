//! What a table looked like: the `schema/<table>.json` entries.
//!
//! A restore goes by these, never by guessing from the rows. FORMAT.md is the specification; the field
//! names here are its JSON names.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
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

/// One table, enough to compare it with another one and to create it.
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
    /// Keys, checks and exclusions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// References to other tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKey>,
    /// Indexes that no constraint made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
    /// What runs when rows change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// Rules of the query rewriter (PostgreSQL).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Trigger>,
    /// Which rows whom the table shows (PostgreSQL).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Policy>,
    /// Whether the policies apply, and to whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_security: Option<RowSecurity>,
    /// How replication knows a row, where it is not by the primary key (PostgreSQL): `full`, `nothing` or `index` and
    /// the index's name behind a blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_identity: Option<String>,
    /// The tables whose columns this one inherits (PostgreSQL), in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inherits: Vec<TableName>,
    /// How the rows are split (PostgreSQL partitioned tables): the partition key, as the server prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<String>,
    /// The partitions, also those whose rows are left out, each after the one that it is a partition of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<Partition>,
    /// True for a table that is empty after a crash (PostgreSQL).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlogged: bool,
    /// Types that the columns use and the engine does not bring (PostgreSQL), in an order in which they
    /// can be created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<UserType>,
    /// The table's own `CREATE TABLE` statement (SQLite only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// Remarks of other programs, which are not read.
    #[serde(default, skip_serializing)]
    pub notes: Notes,
}

impl TableSchema {
    /// A table without columns, called alike in its source and in the archive.
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
    /// Its name, as it is: any text.
    pub name: String,
    /// The type as the database prints it: `bigint`, `numeric(10,2)`, `public.mood[]`; for SQLite the
    /// declared type, which may be empty.
    #[serde(rename = "type")]
    pub type_name: String,
    /// False when NULL is refused.
    pub nullable: bool,
    /// The collation, quoted and with its schema, where it is not the type's own (PostgreSQL). SQLite's is in
    /// [`TableSchema::sql`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// The default expression, as the database prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The expression of a generated column; `stored` or `virtual` for SQLite, where it is in [`TableSchema::sql`].
    /// Its values are in the rows, for readers; a restore leaves them to the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<String>,
    /// True for a generated column that is computed when it is read (PostgreSQL 18, SQLite).
    #[serde(rename = "virtual", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_virtual: bool,
    /// `always` or `by default` for an identity column (PostgreSQL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// A constraint that is no foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    /// Its name; empty for SQLite, where it is in [`TableSchema::sql`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What it demands.
    pub kind: ConstraintKind,
    /// The columns that it names, in its order. An expression is none.
    pub columns: Vec<String>,
    /// True where two NULLs are the same (PostgreSQL 15).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nulls_not_distinct: bool,
    /// As the server prints it, with all its clauses: `CHECK ((price > 0))`. Empty for SQLite.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub definition: String,
}

/// What a constraint demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConstraintKind {
    /// The primary key.
    PrimaryKey,
    /// No two rows alike in the columns.
    Unique,
    /// A condition on each row. SQLite's are in [`TableSchema::sql`].
    Check,
    /// No two rows that compare in this way.
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
    /// `simple`, or `full`: NULL in all columns or in none. SQLite knows `simple` alone.
    #[serde(rename = "match")]
    pub match_type: String,
    /// True where a transaction may put the check off (PostgreSQL). SQLite's is in [`TableSchema::sql`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deferrable: bool,
    /// True where it is put off unless a transaction says otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub initially_deferred: bool,
    /// As the server prints it, with all its clauses. Empty for SQLite.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub definition: String,
}

/// An index that no constraint made.
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
    /// When it fires (PostgreSQL); absent for SQLite, where it always does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TriggerState>,
}

/// In which sessions a trigger fires, by `session_replication_role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TriggerState {
    /// In `origin` and `local`, as a new one does.
    Origin,
    /// In none.
    Disabled,
    /// In `replica`.
    Replica,
    /// In all.
    Always,
}

/// A policy of row security.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// `all`, `select`, `insert`, `update` or `delete`.
    pub command: String,
    /// False for a restrictive one.
    pub permissive: bool,
    /// Whom it is for; `public` is everybody.
    pub roles: Vec<String>,
    /// Which rows are seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub using: Option<String>,
    /// Which rows may be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
}

/// Whether a table's policies apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSecurity {
    /// To anybody.
    pub enabled: bool,
    /// To the table's owner too.
    pub forced: bool,
}

/// A partition at any level, with what it has beside its table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Its database schema.
    pub namespace: String,
    /// Its own name.
    pub table: String,
    /// The partitioned table that it belongs to directly.
    pub of: TableName,
    /// Which rows it takes, as the server prints it: `FOR VALUES IN ('a')`.
    pub bound: String,
    /// How its own rows are split further.
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
        /// The collation, as of a column.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        collation: Option<String>,
        /// The default expression, as the server prints it.
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
    /// Its type, as the database prints it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The collation, as of a column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
}

/// What a database has beside its tables: a `databases/<source>.json` entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSchema {
    /// The configured source it was read from.
    pub source: String,
    /// Whose statements these are.
    pub engine: Engine,
    /// Views and materialized views, in an order in which they can be created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<View>,
    /// Remarks of other programs, which are not read.
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
    /// True for one that keeps its rows (PostgreSQL): stale after a restore until it is refreshed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub materialized: bool,
    /// The query (PostgreSQL), or the whole `CREATE VIEW` statement (SQLite).
    pub definition: String,
    /// `security_barrier=true` and the like (PostgreSQL).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Tables and views that it reads directly (PostgreSQL; SQLite does not say).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<TableName>,
    /// What happens instead of a change of its rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// Its rules but for the query itself (PostgreSQL).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Trigger>,
    /// Indexes of a materialized view.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
}

/// An object of remarks, of which nothing is kept: the one place in a schema entry where a reader may find what it
/// does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Notes;

impl<'de> Deserialize<'de> for Notes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Ignored)
    }
}

struct Ignored;

impl<'de> Visitor<'de> for Ignored {
    type Value = Notes;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of remarks")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut remarks: A) -> Result<Notes, A::Error> {
        while remarks.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Notes)
    }
}
