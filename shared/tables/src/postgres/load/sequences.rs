//! Advances the sequences of restored tables past the numbers in the rows and the numbers recorded in the archive.
//!
//! Sequences only move forward and are not transactional: a failed swap leaves a gap and nothing else.

use strongroom_archive::manifest::{Sequence, SourceRecord};

use super::references::{members, rows};
use super::statements::{Failure, Session, literal};
use crate::names::quoted;
use crate::postgres::naming::qualified;
use crate::postgres::types::Oid;

/// A sequence that numbers a column: owned by the column, or called by its default.
#[derive(Debug, Clone, sqlx_macros::FromRow)]
pub(super) struct Used {
    namespace: String,
    name: String,
    table_namespace: String,
    table: String,
    column: String,
    /// Whether the column's type is an integer.
    is_whole: bool,
    is_partitioned: bool,
    /// Whether this role can set it.
    pub(super) is_writable: bool,
}

impl Used {
    fn is_of(&self, namespace: &str, table: &str) -> bool {
        self.table_namespace == namespace && self.table == table
    }

    /// Whether it continues the SQLite counter of its table.
    fn goes_on(&self, counter: &Sequence) -> bool {
        counter.namespace.is_empty() && counter.name == self.table
    }

    /// The quoted name with its schema.
    pub(super) fn qualified(&self) -> String {
        qualified(&self.namespace, &self.name)
    }

    /// The fields that identify it.
    pub(super) fn parts(&self) -> [&str; 5] {
        [&self.namespace, &self.name, &self.table_namespace, &self.table, &self.column]
    }
}

/// Sequences used by the columns of `tables` and of their partitions.
pub(super) async fn used(session: &mut Session<'_>, tables: &[Oid]) -> Result<Vec<Used>, Failure> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "WITH RECURSIVE members (oid, root) AS ({}),
         uses (sequence, relation, number) AS (
             SELECT d.objid, d.refobjid, d.refobjsubid FROM pg_depend d
             WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
               AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
             UNION
             SELECT d.refobjid, f.adrelid, f.adnum::int FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
             WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
         )
         SELECT n.nspname::text AS namespace, c.relname::text AS name, tn.nspname::text AS table_namespace,
                t.relname::text AS table, a.attname::text AS column,
                a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) AS is_whole,
                t.relkind = 'p' AS is_partitioned,
                coalesce(has_sequence_privilege(c.oid, 'UPDATE')
                         AND has_schema_privilege(n.oid, 'USAGE'), false) AS is_writable
         FROM uses u JOIN members m ON m.oid = u.relation
         JOIN pg_sequence s ON s.seqrelid = u.sequence
         JOIN pg_class c ON c.oid = u.sequence JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_class t ON t.oid = u.relation JOIN pg_namespace tn ON tn.oid = t.relnamespace
         JOIN pg_attribute a ON a.attrelid = u.relation AND a.attnum = u.number
         ORDER BY 1, 2, 3, 4, 5",
        members(tables)
    );
    session.rows("reading the sequences", sql).await
}

/// The archive's sequences that belong to one of the restored tables or to no table. SQLite counters are not included.
pub(super) fn recorded<'a>(record: &'a SourceRecord, used: &[Used]) -> Vec<&'a Sequence> {
    let wanted = |sequence: &&Sequence| match &sequence.owner {
        Some(owner) => used.iter().any(|one| one.is_of(&owner.namespace, &owner.table)),
        None => true,
    };
    record.sequences.iter().filter(|one| !one.namespace.is_empty()).filter(wanted).collect()
}

/// Advances all of these sequences.
pub(super) async fn raise(
    session: &mut Session<'_>,
    tables: &[Oid],
    record: &SourceRecord,
) -> Result<(), Failure> {
    const WHAT: &str = "raising the sequences";
    let used = used(session, tables).await?;
    let mut statements = Vec::new();
    for one in &used {
        for counter in record.sequences.iter().filter(|counter| one.goes_on(counter)) {
            let value = format!("'{}'", counter.last_value);
            statements.push(statement(&one.qualified(), &value, &value, counter.is_called));
        }
    }
    for one in recorded(record, &used) {
        let name = qualified(&one.namespace, &one.name);
        if exists(session, one).await? {
            let value = format!("'{}'", one.last_value);
            statements.push(statement(&name, &value, &value, one.is_called));
        }
    }
    for one in used.iter().filter(|one| one.is_whole) {
        let from = rows(&one.table_namespace, &one.table, one.is_partitioned);
        let column = quoted(&one.column);
        let reached = |best: &str| format!("(SELECT {best}({column}) FROM {from})");
        statements.push(statement(&one.qualified(), &reached("max"), &reached("min"), true));
    }
    session.run_each(WHAT, statements).await
}

/// Sets the sequence to the value reached if that is within its bounds and ahead of its current value. A cycling sequence has
/// no "ahead": it is set only if it has not produced a value yet.
fn statement(sequence: &str, up: &str, down: &str, is_called: bool) -> String {
    let name = literal(sequence);
    format!(
        "SELECT setval(q.seqrelid::regclass, r.value, {is_called})
         FROM {sequence} AS s, pg_sequence AS q,
              LATERAL (SELECT CASE WHEN q.seqincrement > 0 THEN {up} ELSE {down} END::int8 AS value) AS r
         WHERE q.seqrelid = {name}::regclass AND r.value BETWEEN q.seqmin AND q.seqmax
           AND (CASE WHEN q.seqcycle THEN NOT s.is_called
                     WHEN q.seqincrement > 0 THEN r.value > s.last_value ELSE r.value < s.last_value END
                OR (r.value = s.last_value AND {is_called} AND NOT s.is_called))"
    )
}

/// Whether the target has the sequence and this role can set it.
async fn exists(session: &mut Session<'_>, sequence: &Sequence) -> Result<bool, Failure> {
    let (namespace, name) = (&sequence.namespace, &sequence.name);
    let sql = format!(
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = {} AND c.relname = {} AND has_schema_privilege(n.oid, 'USAGE')
           AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT')
                                            AND has_sequence_privilege(c.oid, 'UPDATE') END",
        literal(namespace),
        literal(name)
    );
    Ok(session.count("reading the sequences", sql).await? > 0)
}

/// Warnings about the archive's sequences that the target lacks.
pub(super) async fn missing(
    session: &mut Session<'_>,
    record: &SourceRecord,
    used: &[Used],
) -> Result<Vec<String>, Failure> {
    let mut warnings = Vec::new();
    for one in recorded(record, used) {
        if !exists(session, one).await? {
            let name = qualified(&one.namespace, &one.name);
            warnings.push(format!(
                "the sequence {name} of the archive is not in the target, or this role cannot set it: its value is not restored"
            ));
        }
    }
    Ok(warnings)
}
