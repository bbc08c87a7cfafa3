//! Table schemas: the `schema/<table>.json` entries.
//!
//! A restore uses these, and never guesses from the rows. FORMAT.md is the specification; the field names
//! here are its JSON names.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

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

/// A constraint other than a foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    /// Its name; empty for SQLite, whose names are in [`TableSchema::sql`].
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
    /// A condition on each row. SQLite's are in [`TableSchema::sql`].
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
    /// True if a transaction can defer the check (PostgreSQL). SQLite's is in [`TableSchema::sql`].
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

/// An object of notes, which are not kept: the only place in a schema entry where a reader accepts unknown
/// content.
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
