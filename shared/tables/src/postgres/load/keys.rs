//! Keys that the restored rows would violate.
//!
//! Violations over all restored rows are counted before anything is changed, because the server's message would name one row
//! of one table. DEFERRABLE keys are checked by triggers, which do not fire under the replica role: these keys are checked
//! again after the rows are inserted. Checks and NOT NULL are on the stage itself, except NOT VALID checks, which only new
//! rows have to satisfy.

use sqlx::AssertSqlSafe;
use strongroom_archive::schema::ConstraintKind;

use super::difference::Difference;
use super::pair::TablePair;
use super::statements::{Failure, Session};
use crate::load::{Mode, Refusal, Wanted};
use crate::names::quoted;
use crate::postgres::codes;
use crate::postgres::session::attempt;

/// A unique index, or the index of an exclusion constraint.
#[derive(sqlx_macros::FromRow)]
struct Key {
    table: i64,
    name: String,
    /// Its columns and expressions, as SQL over a FROM that has the columns.
    parts: Vec<String>,
    condition: Option<String>,
    nulls_are_equal: bool,
    is_deferrable: bool,
    /// For an exclusion constraint: the operator of each part; two rows conflict if all of them are true.
    operators: Vec<String>,
}

async fn keys(session: &mut Session<'_>, differences: &[Difference<'_>]) -> Result<Vec<Key>, Failure> {
    let version = session.connection.server_version_num().unwrap_or(0);
    let nulls = if version >= 150_000 { "i.indnullsnotdistinct" } else { "false" };
    let tables: Vec<String> = differences.iter().map(|one| one.pair.oid.to_string()).collect();
    let sql = format!(
        "SELECT i.indrelid::int8 AS table, c.relname::text AS name,
                ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(1, i.indnkeyatts) AS n
                      ORDER BY n) AS parts,
                pg_get_expr(i.indpred, i.indrelid) AS condition, {nulls} AS nulls_are_equal,
                NOT i.indimmediate AS is_deferrable,
                ARRAY(SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname)
                      FROM pg_constraint k, unnest(k.conexclop) WITH ORDINALITY AS u (oid, place)
                      JOIN pg_operator o ON o.oid = u.oid JOIN pg_namespace n ON n.oid = o.oprnamespace
                      WHERE k.conindid = i.indexrelid AND k.contype = 'x' ORDER BY u.place) AS operators
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE i.indrelid = ANY ('{{{}}}'::int8[]::oid[]) AND i.indisvalid
           AND (i.indisunique OR i.indisexclusion)
         ORDER BY 1, 2",
        tables.join(",")
    );
    session.rows("reading the keys", sql).await
}

impl Key {
    /// The table that the key belongs to.
    fn of<'d, 'p>(&self, differences: &'d [Difference<'p>]) -> Option<&'d Difference<'p>> {
        differences.iter().find(|one| one.pair.oid == self.table)
    }

    fn excludes(&self) -> bool {
        !self.operators.is_empty()
    }

    /// Whether the stage has this key too.
    fn is_key_of(&self, difference: &Difference<'_>) -> bool {
        let key: Vec<&String> = difference.pair.key.iter().collect();
        let parts: Vec<String> = self.parts.iter().map(|part| unquoted(part)).collect();
        self.condition.is_none() && !self.is_deferrable && parts.iter().collect::<Vec<_>>() == key
    }

    /// SQL: the number of inserted rows that conflict with each other or with other rows. The index finds them.
    fn exclusions(&self, difference: &Difference<'_>, came: &str) -> String {
        let parts = self.parts.iter().enumerate().map(|(at, part)| format!("{part} AS e{at}"));
        let parts = parts.collect::<Vec<_>>().join(", ");
        let rows = |more: Option<String>| {
            let conditions: Vec<String> =
                self.condition.iter().map(|one| format!("({one})")).chain(more).collect();
            let only = if conditions.is_empty() {
                String::new()
            } else {
                format!("WHERE {}", conditions.join(" AND "))
            };
            let live = &difference.live;
            format!("(SELECT t.ctid AS place, t.tableoid AS part, {parts} FROM {live} AS t {only})")
        };
        let came = difference.has_key().then(|| {
            format!("EXISTS (SELECT FROM {came} AS came WHERE {})", difference.same_key("t", "came"))
        });
        let excludes = self.operators.iter().enumerate();
        let excludes: Vec<String> =
            excludes.map(|(at, operator)| format!("a.e{at} {operator} b.e{at}")).collect();
        format!(
            "SELECT count(*) FROM {} AS a JOIN {} AS b ON {} AND (a.part, a.place) <> (b.part, b.place)",
            rows(came),
            rows(None),
            excludes.join(" AND ")
        )
    }

    /// SQL: the number of excess rows of `from`.
    fn violations(&self, from: &str) -> String {
        let mut conditions: Vec<String> = self.condition.iter().map(|one| format!("({one})")).collect();
        if !self.nulls_are_equal {
            conditions.extend(self.parts.iter().map(|part| format!("{part} IS NOT NULL")));
        }
        let condition =
            if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
        format!(
            "SELECT coalesce(sum(n - 1), 0)::int8 FROM (SELECT count(*) AS n FROM {from} AS t {condition}
             GROUP BY {} HAVING count(*) > 1) AS many",
            self.parts.join(", ")
        )
    }

    fn refusal(&self, difference: &Difference<'_>, rows: u64) -> Refusal {
        let table = difference.pair.archive.name.clone();
        Refusal::Violated { table, constraint: self.name.clone(), rows }
    }
}

/// A column's name, from the form in which the server prints it in an index.
fn unquoted(part: &str) -> String {
    match part.strip_prefix('"').and_then(|part| part.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => part.to_owned(),
    }
}

/// Violations of unique constraints, exclusion constraints and checks that are not on the stage. A violation that involves a
/// column that is not loaded is found by the swap.
pub(super) async fn before(
    session: &mut Session<'_>,
    wanted: &Wanted,
    differences: &[Difference<'_>],
) -> Result<Vec<Refusal>, Failure> {
    let merges = wanted.mode == Mode::Merge;
    let mut refusals = Vec::new();
    for key in keys(session, differences).await? {
        let Some(difference) = key.of(differences) else { continue };
        if key.is_key_of(difference) || key.excludes() {
            continue;
        }
        let sql = key.violations(&difference.after(merges));
        let counted = attempt(session.connection, async |connection| {
            sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).persistent(false).fetch_one(connection).await
        });
        match counted.await.map_err(|error| Failure::server("checking the unique keys", error))? {
            Ok(0) | Err(_) => {}
            Ok(rows) => refusals.push(key.refusal(difference, rows.unsigned_abs())),
        }
    }
    for difference in differences {
        refusals.extend(unasked(session, difference, merges).await?);
        if !merges {
            refusals.extend(excluding(session, difference).await?);
        }
    }
    Ok(refusals)
}

/// Violations of checks that were never validated against older rows.
async fn unasked(
    session: &mut Session<'_>,
    difference: &Difference<'_>,
    merges: bool,
) -> Result<Vec<Refusal>, Failure> {
    let mut refusals = Vec::new();
    for check in difference.pair.live.constraints.iter().filter(|_| difference.has_key()) {
        let Some(condition) = unasked_condition(&check.definition) else { continue };
        let rows = difference.coming_rows(merges);
        let sql = format!("SELECT count(*) FROM {rows} AS t WHERE NOT ({condition})");
        let counted = attempt(session.connection, async |connection| {
            sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).persistent(false).fetch_one(connection).await
        });
        match counted
            .await
            .map_err(|error| Failure::server("checking constraints that are not valid yet", error))?
        {
            Ok(0) | Err(_) => {}
            Ok(rows) => {
                let (table, constraint) = (difference.pair.archive.name.clone(), check.name.clone());
                refusals.push(Refusal::Violated { table, constraint, rows: rows.unsigned_abs() });
            }
        }
    }
    Ok(refusals)
}

/// The condition of `CHECK (…) NOT VALID`, as the server prints it.
fn unasked_condition(definition: &str) -> Option<&str> {
    let condition = definition.strip_suffix(" NOT VALID")?;
    let condition = condition.strip_suffix(" NO INHERIT").unwrap_or(condition);
    condition.strip_prefix("CHECK (")?.strip_suffix(')')
}

/// Violations of constraints that the server checks by triggers, which do not fire under the replica role. `came` is the
/// table with the keys of the inserted rows.
pub(super) async fn afterwards(
    session: &mut Session<'_>,
    differences: &[Difference<'_>],
    came: impl Fn(&TablePair) -> &str,
) -> Result<Vec<Refusal>, Failure> {
    let mut refusals = Vec::new();
    for key in keys(session, differences).await?.into_iter().filter(|key| key.is_deferrable) {
        let Some(difference) = key.of(differences) else { continue };
        let sql = if key.excludes() {
            key.exclusions(difference, came(difference.pair))
        } else {
            key.violations(&difference.live)
        };
        let rows = session.count("checking the unique keys", sql).await?;
        if rows > 0 {
            refusals.push(key.refusal(difference, rows));
        }
    }
    Ok(refusals)
}

/// Tries to add the live table's exclusion constraints to the stage. Building their indexes finds conflicting rows;
/// every other way would compare each row with every other row.
async fn excluding(session: &mut Session<'_>, difference: &Difference<'_>) -> Result<Vec<Refusal>, Failure> {
    const UNDO: &str = "SAVEPOINT excluding";
    let mut refusals = Vec::new();
    let constraints = difference.pair.live.constraints.iter();
    for constraint in constraints.filter(|one| one.kind == ConstraintKind::Exclusion) {
        let (stage, name) = (&difference.pair.stage, quoted(&constraint.name));
        let sql = format!("ALTER TABLE {stage} ADD CONSTRAINT {name} {}", constraint.definition);
        session.run("checking the exclusions", UNDO.to_owned()).await?;
        let added = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *session.connection).await;
        session.run("checking the exclusions", "ROLLBACK TO excluding; RELEASE excluding".to_owned()).await?;
        if added.is_err_and(|error| crate::fault::sqlstate(&error) == Some(codes::EXCLUSION_VIOLATION)) {
            let table = difference.pair.archive.name.clone();
            refusals.push(Refusal::Violated { table, constraint: constraint.name.clone(), rows: 1 });
        }
    }
    Ok(refusals)
}
