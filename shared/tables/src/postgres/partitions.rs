//! The partitions of partitioned tables, and which of them are read.
//!
//! A partitioned table is read as a whole, which only needs rights on the table itself, unless some of its rows must be left
//! out: those of an excluded partition, of a partition that is a foreign table (its rows belong to another database, which
//! may be unreachable), and on a standby those of an unlogged partition, which the standby does not have. Then the other
//! partitions are read one by one.

use std::collections::{HashMap, HashSet};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use strongroom_archive::schema::TableName;

use super::naming::{archive_name, qualified};
use super::rights::{RIGHTS, Rights};
use super::types::Oid;
use crate::error::Result;
use crate::options::{Skipped, SnapshotOptions};

/// One partition, at any level.
#[derive(Clone, sqlx_macros::FromRow)]
pub(super) struct Partition {
    /// The top-level partitioned table.
    root: Oid,
    pub(super) parent: Oid,
    pub(super) oid: Oid,
    namespace: String,
    table: String,
    kind: String,
    persistence: String,
    pub(super) bound: String,
    pub(super) partition_key: Option<String>,
    #[sqlx(flatten)]
    rights: Rights,
}

impl Partition {
    pub(super) fn table_name(&self) -> TableName {
        TableName { namespace: self.namespace.clone(), table: self.table.clone() }
    }

    pub(super) fn name(&self) -> String {
        archive_name(&self.namespace, &self.table)
    }

    pub(super) fn qualified(&self) -> String {
        qualified(&self.namespace, &self.table)
    }

    /// Why its rows are not read although it is not excluded.
    fn skip_reason(&self, standby: bool) -> Option<&'static str> {
        match (self.kind.as_str(), self.persistence.as_str()) {
            ("f", _) => Some("foreign table: its rows live in another database"),
            (_, "u") if standby => Some("unlogged table: a standby does not have its rows"),
            _ => None,
        }
    }
}

/// All partitions by their root table, each after its parent.
pub(super) async fn list(connection: &mut PgConnection) -> sqlx::Result<HashMap<Oid, Vec<Partition>>> {
    // The server's functions for listing partitions lock them, and would wait for any session that holds one.
    let sql = format!(
        "WITH RECURSIVE tree (root, parent, child, depth) AS (
             SELECT i.inhparent, i.inhparent, i.inhrelid, 1
             FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
             WHERE p.relkind = 'p' AND NOT p.relispartition
             UNION ALL
             SELECT t.root, i.inhparent, i.inhrelid, t.depth + 1
             FROM tree t JOIN pg_inherits i ON i.inhparent = t.child
         )
         SELECT t.root::int8 AS root, t.parent::int8 AS parent, c.oid::int8 AS oid, n.nspname::text AS namespace,
                c.relname::text AS table, c.relkind::text AS kind, c.relpersistence::text AS persistence,
                coalesce(pg_get_expr(c.relpartbound, 0), '') AS bound,
                CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key, {RIGHTS}
         FROM tree t JOIN pg_class c ON c.oid = t.child JOIN pg_namespace n ON n.oid = c.relnamespace
         ORDER BY t.depth, n.nspname, c.relname"
    );
    let rows: Vec<Partition> =
        sqlx::query_as(AssertSqlSafe(sql)).persistent(false).fetch_all(connection).await?;
    let mut by_root: HashMap<Oid, Vec<Partition>> = HashMap::new();
    for row in rows {
        by_root.entry(row.root).or_default().push(row);
    }
    Ok(by_root)
}

/// The partitions with rows to be read, and whether they are read one by one.
pub(super) struct Chosen {
    pub(super) read: Vec<Partition>,
    pub(super) one_by_one: bool,
}

/// Chooses among the partitions of the table called `name`, reports the others in `skipped`, and checks the rights on those
/// that are read one by one.
pub(super) fn choose(
    partitions: Vec<Partition>,
    name: &str,
    standby: bool,
    options: &SnapshotOptions,
    skipped: &mut Vec<Skipped>,
) -> Result<Chosen> {
    let mut excluded = HashSet::new();
    let mut chosen = Chosen { read: Vec::new(), one_by_one: false };
    for partition in partitions {
        let reason = if excluded.contains(&partition.parent) {
            None
        } else if options.exclude.contains(&partition.name()) {
            Some("it is excluded")
        } else {
            match partition.skip_reason(standby) {
                Some(reason) => Some(reason),
                None => {
                    // A partition that is partitioned itself has no rows.
                    if partition.kind != "p" {
                        chosen.read.push(partition);
                    }
                    continue;
                }
            }
        };
        excluded.insert(partition.oid);
        chosen.one_by_one = true;
        if let Some(reason) = reason {
            let reason = format!("partition of {name}: {reason}");
            skipped.push(Skipped { name: partition.name(), reason });
        }
    }
    if chosen.one_by_one {
        for partition in &chosen.read {
            partition.rights.check(&partition.namespace, &partition.table, &options.source)?;
        }
    }
    Ok(chosen)
}
