//! Sequences: their values, options and owners.
//!
//! A sequence is not part of the snapshot: read after the snapshot was fixed, its value is at or past every number in the
//! rows.

use std::collections::HashSet;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use strongroom_archive::manifest::{Sequence, SequenceOwner, SequenceRange};
use strongroom_archive::schema::TableSchema;

use super::naming::{archive_name, qualified};
use super::session::attempt;
use super::types::Oid;
use crate::RESTORE_SCHEMA;
use crate::fault::Fault;
use crate::options::{Skipped, SnapshotOptions};

/// Number of sequences whose values one statement reads.
const AT_ONCE: usize = 200;

#[derive(sqlx_macros::FromRow)]
struct SequenceRow {
    oid: Oid,
    namespace: String,
    name: String,
    /// Whether this user can read its value.
    readable: bool,
    /// Whether this user can read it like a table.
    selectable: bool,
    type_name: String,
    start: i64,
    increment: i64,
    min: i64,
    max: i64,
    cache: i64,
    cycle: bool,
    /// Schema, table and column.
    owner: Option<Vec<String>>,
}

/// Sequences that belong to one of `tables`; also unowned sequences in the schemas, unless tables were selected. Unreadable
/// ones are reported in `skipped`.
pub(super) async fn list(
    connection: &mut PgConnection,
    options: &SnapshotOptions,
    tables: &[TableSchema],
    skipped: &mut Vec<Skipped>,
) -> sqlx::Result<Vec<Sequence>> {
    let mut rows = rows(connection).await?;
    let tables: HashSet<_> = tables.iter().map(|table| (&*table.namespace, &*table.table)).collect();
    rows.retain(|row| row.is_wanted(options, &tables));
    skipped.extend(rows.iter().filter(|row| !row.readable).map(SequenceRow::unreadable));
    rows.retain(|row| row.readable);
    let mut sequences = Vec::with_capacity(rows.len());
    for some in rows.chunks(AT_ONCE) {
        match attempt(connection, async |connection| positions(connection, some).await).await? {
            Ok(positions) => {
                sequences.extend(some.iter().zip(positions).map(|(row, position)| row.sequence(position)));
            }
            Err(_) => one_by_one(connection, some, &mut sequences, skipped).await?,
        }
    }
    Ok(sequences)
}

async fn rows(connection: &mut PgConnection) -> sqlx::Result<Vec<SequenceRow>> {
    let sql = format!(
        "SELECT c.oid::int8 AS oid,
                (SELECT n.nspname::text FROM pg_namespace n WHERE n.oid = c.relnamespace) AS namespace,
                c.relname::text AS name,
                coalesce(has_sequence_privilege(c.oid, 'SELECT, USAGE'), false) AS readable,
                coalesce(has_sequence_privilege(c.oid, 'SELECT')
                         AND has_schema_privilege(c.relnamespace, 'USAGE'), false) AS selectable,
                format_type(s.seqtypid, NULL) AS type_name, s.seqstart AS start, s.seqincrement AS increment,
                s.seqmin AS min, s.seqmax AS max, s.seqcache AS cache, s.seqcycle AS cycle,
                (SELECT ARRAY[m.nspname::text, t.relname::text, a.attname::text]
                 FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace m ON m.oid = t.relnamespace
                 JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                 WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
                   AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') LIMIT 1) AS owner
         FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
         WHERE c.relpersistence <> 't' AND c.relnamespace NOT IN
               (SELECT n.oid FROM pg_namespace n WHERE n.nspname ~ '^pg_' OR n.nspname = '{RESTORE_SCHEMA}')
           AND NOT (c.relpersistence = 'u' AND pg_is_in_recovery())
           AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
                           AND e.objid = c.oid AND e.deptype = 'e')
         ORDER BY 2, 3"
    );
    sqlx::query_as(AssertSqlSafe(sql)).persistent(false).fetch_all(connection).await
}

/// Reads them one by one, after reading them together has failed, for example because one was just dropped.
async fn one_by_one(
    connection: &mut PgConnection,
    rows: &[SequenceRow],
    sequences: &mut Vec<Sequence>,
    skipped: &mut Vec<Skipped>,
) -> sqlx::Result<()> {
    for row in rows {
        let one = std::slice::from_ref(row);
        match attempt(connection, async |connection| positions(connection, one).await).await? {
            Ok(positions) => sequences.extend(positions.into_iter().map(|position| row.sequence(position))),
            Err(error) => {
                let name = archive_name(&row.namespace, &row.name);
                let reason = format!("sequence: its value could not be read: {}", Fault::of(&error));
                skipped.push(Skipped { name, reason });
            }
        }
    }
    Ok(())
}

/// The last value of each of `rows`, and whether that value was used.
async fn positions(connection: &mut PgConnection, rows: &[SequenceRow]) -> sqlx::Result<Vec<(i64, bool)>> {
    let of = |(at, row): (usize, &SequenceRow)| format!("SELECT {at} AS at, {}", row.position());
    let all: Vec<String> = rows.iter().enumerate().map(of).collect();
    let sql = format!("SELECT last_value, is_called FROM ({}) AS s ORDER BY at", all.join(" UNION ALL "));
    sqlx::query_as(AssertSqlSafe(sql)).persistent(false).fetch_all(connection).await
}

impl SequenceRow {
    fn is_wanted(&self, options: &SnapshotOptions, tables: &HashSet<(&str, &str)>) -> bool {
        if let Some([namespace, table, _]) = self.owner.as_deref() {
            return tables.contains(&(&**namespace, &**table));
        }
        if !options.is_complete() {
            return false;
        }
        let in_schemas = options.schemas.is_empty() || options.schemas.contains(&self.namespace);
        in_schemas && options.selects(&archive_name(&self.namespace, &self.name))
    }

    /// With USAGE alone, only `pg_sequence_last_value` is allowed, which cannot distinguish a new sequence from one that was
    /// set to a number.
    fn position(&self) -> String {
        if self.selectable {
            return format!("last_value, is_called FROM {}", qualified(&self.namespace, &self.name));
        }
        let last = format!("pg_sequence_last_value({}::oid)", self.oid);
        format!("coalesce({last}, {}) AS last_value, {last} IS NOT NULL AS is_called", self.start)
    }

    fn unreadable(&self) -> Skipped {
        let name = archive_name(&self.namespace, &self.name);
        let reason = format!(
            "sequence: the database user has no right to read its value; GRANT SELECT ON SEQUENCE {} to it",
            qualified(&self.namespace, &self.name)
        );
        Skipped { name, reason }
    }

    fn sequence(&self, (last_value, is_called): (i64, bool)) -> Sequence {
        let owner = match self.owner.as_deref() {
            Some([namespace, table, column]) => Some(SequenceOwner {
                namespace: namespace.clone(),
                table: table.clone(),
                column: column.clone(),
            }),
            _ => None,
        };
        let range = SequenceRange {
            type_name: self.type_name.clone(),
            start: self.start,
            increment: self.increment,
            min: self.min,
            max: self.max,
            cache: self.cache,
            cycle: self.cycle,
        };
        let (namespace, name) = (self.namespace.clone(), self.name.clone());
        Sequence { namespace, name, last_value, is_called, range: Some(range), owner }
    }
}
