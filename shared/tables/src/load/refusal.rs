//! Reasons why a restore is refused, each with a name and a remedy.

/// A reason against a restore. Its text names the object, the reason and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A table of the archive does not exist in the target.
    #[error(
        "table {table} does not exist in the target: let the application create it, or restore with --create-tables"
    )]
    TableMissing {
        /// Archive name.
        table: String,
    },
    /// A table that must be empty is not empty.
    #[error("table {table} is not empty: restore with --mode replace or merge, or empty it first")]
    NotEmpty {
        /// Archive name.
        table: String,
    },
    /// The archive has values for a column that the target lacks.
    #[error(
        "table {table} has no column {column} in the target, and the archive has values for it: migrate the application to \
             the archive's version first"
    )]
    ColumnMissing {
        /// Archive name.
        table: String,
        /// The column.
        column: String,
    },
    /// The target needs a value that the archive does not have.
    #[error(
        "column {column} of table {table} does not accept NULL and has no default, and the archive has no \
             such column: restore with the version of the application that wrote the archive, then migrate"
    )]
    ColumnNeeded {
        /// Archive name.
        table: String,
        /// The column.
        column: String,
    },
    /// The column has a different type.
    #[error(
        "column {column} of table {table} is {archive} in the archive and {target} in the target: migrate one to the other \
             first"
    )]
    ColumnType {
        /// Archive name.
        table: String,
        /// The column.
        column: String,
        /// Type in the archive.
        archive: String,
        /// Type in the target.
        target: String,
    },
    /// NULL is allowed in the archive only.
    #[error(
        "column {column} of table {table} accepts NULL in the archive but not in the target: migrate one to the other first"
    )]
    ColumnNotNull {
        /// Archive name.
        table: String,
        /// The column.
        column: String,
    },
    /// The archive comes from another engine, and the column cannot take its values.
    #[error("column {column} of table {table} cannot take the archive's values: {problem}")]
    ColumnForm {
        /// Archive name.
        table: String,
        /// The column.
        column: String,
        /// Why the values do not fit.
        problem: String,
    },
    /// A merge needs a key to match rows.
    #[error(
        "table {table} has no primary key or unique key without NULL by which restored rows could be matched with existing \
         ones (in SQLite, columns of a key need NOT NULL too): give it one, choose other tables with --tables, or replace its \
         rows (restore plan --mode replace)"
    )]
    NoKey {
        /// Archive name.
        table: String,
    },
    /// The archive lacks some rows of a table that would be replaced.
    #[error(
        "only some rows of table {table} would be restored, those since a time or those chosen with --rows, and replacing would \
         remove all others: use --mode merge"
    )]
    Partial {
        /// Archive name.
        table: String,
    },
    /// A function used by an index or a check cannot find an object that it names.
    #[error("table {table} cannot be inspected: {problem}")]
    Function {
        /// Archive name.
        table: String,
        /// The server's message, with the remedy.
        problem: String,
    },
    /// Row security hides rows from this role.
    #[error(
        "row security of table {table} hides rows from {role}: restore as the table's owner without FORCE ROW LEVEL \
             SECURITY, or ALTER ROLE {role} BYPASSRLS"
    )]
    RowSecurity {
        /// Archive name.
        table: String,
        /// The role.
        role: String,
    },
    /// A rule would rewrite the restored rows.
    #[error("table {table} has the rule {rule}, which would rewrite restored rows: drop it for the restore")]
    Rule {
        /// Archive name.
        table: String,
        /// The rule.
        rule: String,
    },
    /// A publication could not replicate deleted rows.
    #[error(
        "table {table} is in the publication {publication} and has no replica identity, so no row can be \
             removed: ALTER TABLE … REPLICA IDENTITY FULL, or take it out of the publication"
    )]
    ReplicaIdentity {
        /// Archive name.
        table: String,
        /// The publication.
        publication: String,
    },
    /// A label of an enumeration is missing.
    #[error(
        "type {type_name} has no label {label} in the target: ALTER TYPE {type_name} ADD VALUE '{label}'"
    )]
    EnumLabel {
        /// The type.
        type_name: String,
        /// The label.
        label: String,
    },
    /// An extension is missing.
    #[error(
        "the target has no extension {extension}, which the archive's columns need: CREATE EXTENSION {extension}"
    )]
    ExtensionMissing {
        /// Its name.
        extension: String,
    },
    /// A right is missing.
    #[error("{role} has no right to {what}: {grant}")]
    Right {
        /// The role.
        role: String,
        /// The action, for example `create the schema strongroom`.
        what: String,
        /// The statement that grants it.
        grant: String,
    },
    /// The table belongs to another role.
    #[error(
        "table {table} belongs to {owner}: put a URL of that role, or of a member of it, into restore_url_file"
    )]
    NotOwner {
        /// Archive name.
        table: String,
        /// Its owner.
        owner: String,
    },
    /// The archive was made by a newer version of the application.
    #[error(
        "the archive has migrations that the target does not have, {ids} among them: bring the application to the archive's \
             version first"
    )]
    NewerMigrations {
        /// Up to ten ids, joined.
        ids: String,
    },
    /// Rows outside the restored tables reference rows that would be removed.
    #[error(
        "{rows} rows of {from} reference rows of {table} that would be removed (constraint {constraint}): \
             restore {from} too, or accept its foreign key's action on them with --accept-cascade"
    )]
    Referenced {
        /// Archive name of the referenced table.
        table: String,
        /// The referencing table, which is not restored.
        from: String,
        /// Its foreign key.
        constraint: String,
        /// Number of rows.
        rows: u64,
    },
    /// A reference would dangle.
    #[error(
        "{rows} rows of {table} would reference missing rows of {to} (constraint {constraint}): restore {to} too"
    )]
    Dangling {
        /// Archive name of the referencing table.
        table: String,
        /// The referenced table.
        to: String,
        /// The foreign key.
        constraint: String,
        /// Number of rows.
        rows: u64,
    },
    /// Rows in the archive violate a constraint of the target.
    #[error(
        "{rows} rows of table {table} violate {constraint} of the target: migrate the target to the archive's version first"
    )]
    Violated {
        /// Archive name.
        table: String,
        /// The constraint or index.
        constraint: String,
        /// Number of rows, at least.
        rows: u64,
    },
    /// A large object's id is already taken.
    #[error(
        "the target has a large object {oid} of its own: remove it with lo_unlink({oid}) if nobody needs it, or restore into another \
         database"
    )]
    LargeObjectTaken {
        /// Its id.
        oid: u32,
    },
    /// Too little disk space (SQLite).
    #[error(
        "{needed} bytes are needed beside the database and {available} are free: free some, or restore elsewhere"
    )]
    Space {
        /// Bytes.
        needed: u64,
        /// Bytes.
        available: u64,
    },
    /// Readers would be blocked (SQLite without WAL).
    #[error(
        "the database is in journal mode {mode}, in which readers and writers block each other: PRAGMA journal_mode=WAL, or \
             agree to the pause with --accept-pause"
    )]
    JournalMode {
        /// The mode.
        mode: String,
    },
    /// The contents of a virtual table cannot be restored (SQLite).
    #[error("table {table} is a virtual table whose content cannot be restored: {problem}")]
    Virtual {
        /// Archive name.
        table: String,
        /// The reason.
        problem: String,
    },
    /// Another restore has a stage in this target.
    #[error(
        "the restore {id} has rows staged in this database: wait until it ends; `strongroom restore get {id}` shows its \
             state"
    )]
    OtherRestore {
        /// Its id.
        id: String,
    },
    /// The archive and the target cannot be compared.
    #[error("table {table} cannot be restored here: {problem}")]
    Unsupported {
        /// Archive name.
        table: String,
        /// The reason and the remedy.
        problem: String,
    },
}

impl Refusal {
    /// A stable name for use by programs.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TableMissing { .. } => "TABLE_MISSING",
            Self::NotEmpty { .. } => "TABLE_NOT_EMPTY",
            Self::ColumnMissing { .. } => "COLUMN_MISSING",
            Self::ColumnNeeded { .. } => "COLUMN_NEEDED",
            Self::ColumnType { .. } => "COLUMN_TYPE",
            Self::ColumnNotNull { .. } => "COLUMN_NOT_NULL",
            Self::ColumnForm { .. } => "COLUMN_FORM",
            Self::NoKey { .. } => "NO_KEY",
            Self::Partial { .. } => "PARTIAL_TABLE",
            Self::Function { .. } => "FUNCTION_PATH",
            Self::RowSecurity { .. } => "ROW_SECURITY",
            Self::Rule { .. } => "RULE",
            Self::ReplicaIdentity { .. } => "REPLICA_IDENTITY",
            Self::EnumLabel { .. } => "ENUM_LABEL",
            Self::ExtensionMissing { .. } => "EXTENSION_MISSING",
            Self::Right { .. } => "RIGHT_MISSING",
            Self::NotOwner { .. } => "NOT_OWNER",
            Self::NewerMigrations { .. } => "NEWER_MIGRATIONS",
            Self::Referenced { .. } => "REFERENCED_FROM_OUTSIDE",
            Self::Dangling { .. } => "DANGLING_REFERENCE",
            Self::Violated { .. } => "CONSTRAINT_VIOLATED",
            Self::LargeObjectTaken { .. } => "LARGE_OBJECT_TAKEN",
            Self::Space { .. } => "DISK_SPACE",
            Self::JournalMode { .. } => "JOURNAL_MODE",
            Self::Virtual { .. } => "VIRTUAL_TABLE",
            Self::OtherRestore { .. } => "OTHER_RESTORE",
            Self::Unsupported { .. } => "UNSUPPORTED",
        }
    }

    /// The archive name of the table concerned, or empty.
    #[must_use]
    pub fn table(&self) -> &str {
        match self {
            Self::TableMissing { table }
            | Self::NotEmpty { table }
            | Self::ColumnMissing { table, .. }
            | Self::ColumnNeeded { table, .. }
            | Self::ColumnType { table, .. }
            | Self::ColumnNotNull { table, .. }
            | Self::ColumnForm { table, .. }
            | Self::NoKey { table }
            | Self::Partial { table }
            | Self::Function { table, .. }
            | Self::RowSecurity { table, .. }
            | Self::Rule { table, .. }
            | Self::ReplicaIdentity { table, .. }
            | Self::NotOwner { table, .. }
            | Self::Referenced { table, .. }
            | Self::Dangling { table, .. }
            | Self::Violated { table, .. }
            | Self::Virtual { table, .. }
            | Self::Unsupported { table, .. } => table,
            Self::EnumLabel { .. }
            | Self::ExtensionMissing { .. }
            | Self::Right { .. }
            | Self::NewerMigrations { .. }
            | Self::LargeObjectTaken { .. }
            | Self::Space { .. }
            | Self::JournalMode { .. }
            | Self::OtherRestore { .. } => "",
        }
    }
}
