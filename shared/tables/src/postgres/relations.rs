//! The tables of a PostgreSQL database: which of them are selected, and whether they can be read.

use std::collections::HashSet;

use sqlx::postgres::PgConnection;
use strongroom_archive::schema::TableName;

use super::naming::{archive_name, qualified};
use super::partitions::{self, Partition};
use super::rights::{RIGHTS, Rights};
use super::types::Oid;
use crate::RESTORE_SCHEMA;
use crate::error::{Error, Result};
use crate::options::{Skipped, SnapshotOptions};

/// A relation that contains rows, before its columns are known.
#[derive(Clone)]
pub(super) struct Relation {
    pub(super) oid: Oid,
    /// The archive name: bare in `public`, otherwise `schema.table`.
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) table: String,
    /// Set for a partitioned table.
    pub(super) partition_key: Option<String>,
    /// All partitions of a partitioned table, each after its parent.
    pub(super) members: Vec<Partition>,
    /// Partitions that contain its rows and are read.
    pub(super) partitions: Vec<Partition>,
    /// Whether the partitions must be read one by one, because some of them are left out.
    pub(super) one_by_one: bool,
}

impl Relation {
    pub(super) fn table_name(&self) -> TableName {
        TableName { namespace: self.namespace.clone(), table: self.table.clone() }
    }

    /// The quoted name with its schema.
    pub(super) fn qualified(&self) -> String {
        qualified(&self.namespace, &self.table)
    }

    /// The names for LOCK. A partitioned table is locked with its partitions, which hold its rows. A parent and its inheriting
    /// tables are each read on their own (ONLY).
    pub(super) fn locks(&self) -> Vec<String> {
        let only = |table: String| format!("ONLY {table}");
        match (&self.partition_key, self.one_by_one) {
            (Some(_), false) => vec![self.qualified()],
            (None, _) => vec![only(self.qualified())],
            (Some(_), true) => {
                let partitions = self.partitions.iter().map(|one| only(one.qualified()));
                std::iter::once(only(self.qualified())).chain(partitions).collect()
            }
        }
    }

    /// The FROM clause, as `t`. The columns of partitions can be in a different order than the table's.
    pub(super) fn from(&self, columns: &[String]) -> String {
        let parts = self.locks();
        if let [only] = &parts[..] {
            return only.clone();
        }
        let columns = columns.join(", ");
        let parts: Vec<String> = parts.iter().map(|part| format!("SELECT {columns} FROM {part}")).collect();
        format!("({})", parts.join(" UNION ALL "))
    }

    /// An expression for the position of a row of `t`.
    pub(super) fn row_place(&self) -> &'static str {
        match (&self.partition_key, self.one_by_one) {
            (None, _) => "'the row at ctid ' || t.ctid::text",
            (Some(_), false) => "'the row at ctid ' || t.ctid::text || ' of ' || t.tableoid::regclass::text",
            (Some(_), true) => "'a row'",
        }
    }

    /// The table and the partitions that are read.
    pub(super) fn oids(&self) -> impl Iterator<Item = Oid> {
        std::iter::once(self.oid).chain(self.partitions.iter().map(|partition| partition.oid))
    }
}

/// The selected relations, those left out of the selection, and all existing names.
pub(super) struct Relations {
    pub(super) selected: Vec<Relation>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) known: HashSet<String>,
}

#[derive(sqlx_macros::FromRow)]
struct RelationRow {
    oid: Oid,
    namespace: String,
    table: String,
    kind: String,
    persistence: String,
    partition_key: Option<String>,
    extension: Option<String>,
    #[sqlx(flatten)]
    rights: Rights,
    standby: bool,
}

/// Lists the selected tables in order of archive name and checks that they can be read.
pub(super) async fn list(connection: &mut PgConnection, options: &SnapshotOptions) -> Result<Relations> {
    select(connection, options, true).await
}

/// Like [`list`] without the check, for callers that need only the definitions.
pub(super) async fn describe(
    connection: &mut PgConnection,
    options: &SnapshotOptions,
) -> Result<Vec<Relation>> {
    Ok(select(connection, options, false).await?.selected)
}

async fn select(
    connection: &mut PgConnection,
    options: &SnapshotOptions,
    checks_rights: bool,
) -> Result<Relations> {
    let failed = |error| Error::database(&options.source, "listing the tables", &error);
    let rows = rows(connection).await.map_err(failed)?;
    let mut partitions = partitions::list(connection).await.map_err(failed)?;
    check_schemas(connection, options).await?;

    let mut selected: Vec<Relation> = Vec::new();
    let mut skipped = Vec::new();
    let mut known: HashSet<String> = partitions.values().flatten().map(Partition::name).collect();
    for row in rows {
        let name = archive_name(&row.namespace, &row.table);
        known.insert(name.clone());
        let in_schemas = options.schemas.is_empty() || options.schemas.contains(&row.namespace);
        if !in_schemas || !options.selects(&name) {
            continue;
        }
        if let Some(reason) = skip_reason(&row) {
            skipped.push(Skipped { name, reason });
            continue;
        }
        if checks_rights {
            row.rights.check(&row.namespace, &row.table, &options.source)?;
        }
        let RelationRow { oid, namespace, table, partition_key, standby, .. } = row;
        let members = partitions.remove(&oid).unwrap_or_default();
        let chosen = partitions::choose(members.clone(), &name, standby, options, &mut skipped)?;
        let (partitions, one_by_one) = (chosen.read, chosen.one_by_one);
        selected.push(Relation {
            oid,
            name,
            namespace,
            table,
            partition_key,
            members,
            partitions,
            one_by_one,
        });
    }
    selected.sort_by(|a, b| a.name.cmp(&b.name));
    skipped.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = selected.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(Error::Ambiguous { name: options.source.clone(), table: pair[0].name.clone() });
    }
    Ok(Relations { selected, skipped, known })
}

async fn rows(connection: &mut PgConnection) -> sqlx::Result<Vec<RelationRow>> {
    let sql = format!(
        "SELECT c.oid::int8 AS oid, n.nspname::text AS namespace, c.relname::text AS table,
                c.relkind::text AS kind, c.relpersistence::text AS persistence,
                CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
                (SELECT e.extname::text FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                 WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
                   AND d.refclassid = 'pg_extension'::regclass LIMIT 1) AS extension,
                {RIGHTS}, pg_is_in_recovery() AS standby
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'f', 'm') AND NOT c.relispartition
           AND (n.nspname !~ '^pg_' OR c.relpersistence = 't') AND n.nspname NOT IN ('information_schema', '{RESTORE_SCHEMA}')"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).persistent(false).fetch_all(connection).await
}

async fn check_schemas(connection: &mut PgConnection, options: &SnapshotOptions) -> Result<()> {
    if options.schemas.is_empty() {
        return Ok(());
    }
    let known: Vec<String> = sqlx::query_scalar("SELECT nspname::text FROM pg_namespace")
        .persistent(false)
        .fetch_all(connection)
        .await
        .map_err(|error| Error::database(&options.source, "listing the schemas", &error))?;
    match options.schemas.iter().find(|schema| !known.contains(schema)) {
        Some(schema) => Err(Error::missing(&options.source, format!("schema {schema:?}"))),
        None => Ok(()),
    }
}

fn skip_reason(row: &RelationRow) -> Option<String> {
    if let Some(extension) = &row.extension {
        return Some(format!("belongs to the extension {extension}"));
    }
    let reason = match (row.kind.as_str(), row.persistence.as_str()) {
        (_, "t") => "temporary table of one session",
        ("f", _) => "foreign table: its rows live in another database",
        ("m", _) => "materialized view: derived from tables",
        (_, "u") if row.standby => "unlogged table: a standby does not have its rows",
        _ => return None,
    };
    Some(reason.to_owned())
}
