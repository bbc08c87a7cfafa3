//! Sequences of restored tables go on behind the numbers that the rows have and that the archive has noted.
//!
//! They only ever go forward, and outside of transactions: a swap that fails leaves a gap and nothing else.

use strongroom_archive::manifest::{Sequence, SourceRecord};

use super::references::{members, rows};
use super::statements::{Failure, Session, literal};
use crate::names::quoted;
use crate::postgres::naming::qualified;
use crate::postgres::types::Oid;

/// A sequence that gives numbers to a column: its own one, or one that its default calls.
#[derive(Debug, Clone, sqlx_macros::FromRow)]
pub(super) struct Used {
    namespace: String,
    name: String,
    table_namespace: String,
    table: String,
    column: String,
    /// Whether the column's values are whole numbers.
    is_whole: bool,
    is_partitioned: bool,
    /// Whether this role may set it.
    pub(super) is_writable: bool,
}

impl Used {
    fn is_of(&self, namespace: &str, table: &str) -> bool {
        self.table_namespace == namespace && self.table == table
    }

    /// Whether it counts on from what SQLite noted of the table.
    fn goes_on(&self, counter: &Sequence) -> bool {
        counter.namespace.is_empty() && counter.name == self.table
    }

    /// Quoted, with its schema.
    pub(super) fn qualified(&self) -> String {
        qualified(&self.namespace, &self.name)
    }

    /// What makes it another one.
    pub(super) fn parts(&self) -> [&str; 5] {
        [&self.namespace, &self.name, &self.table_namespace, &self.table, &self.column]
    }
}

/// Those of the columns of `tables` and of their partitions.
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

/// The archive's sequences that belong to one of the restored tables, or to none. Counters of SQLite are none.
pub(super) fn recorded<'a>(record: &'a SourceRecord, used: &[Used]) -> Vec<&'a Sequence> {
    let wanted = |sequence: &&Sequence| match &sequence.owner {
        Some(owner) => used.iter().any(|one| one.is_of(&owner.namespace, &owner.table)),
        None => true,
    };
    record.sequences.iter().filter(|one| !one.namespace.is_empty()).filter(wanted).collect()
}

/// Raises all of them.
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

/// Sets the sequence to what is `reached`, where that is inside of its bounds and ahead of where it is. One that begins
/// again at its end has no such direction: it is set where it has given nothing yet.
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

/// Whether the target has it, and this role may set it.
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

/// The archive's sequences that the target does not have, as warnings.
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
                "the sequence {name} of the archive is not in the target, or may not be set: its number is not restored"
            ));
        }
    }
    Ok(warnings)
}
