//! Rows that the tables would not take, or would leave without what they reference: counted before anything is changed.
//!
//! What the tables will hold is known from stage and live table, so that all of it is read from there. Under the replica
//! role the server checks no foreign key and no deferrable key, and otherwise its message would name one row of one
//! table.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgDatabaseError;
use strongroom_archive::schema::ConstraintKind;

use super::difference::Difference;
use super::pair::TablePair;
use super::references::Reference;
use super::statements::{Failure, Session};
use crate::error::Error;
use crate::load::{Mode, Refusal, Wanted};
use crate::names::quoted;
use crate::postgres::naming::archive_name;
use crate::postgres::session::attempt;

/// Of foreign keys of the set and into it that are sure to hold now.
pub(super) async fn of_references(
    session: &mut Session<'_>,
    wanted: &Wanted,
    keys: &[Reference],
    differences: &[Difference<'_>],
) -> Result<Vec<Refusal>, Failure> {
    let merges = wanted.mode == Mode::Merge;
    let mut refusals = Vec::new();
    for key in keys.iter().filter(|key| key.is_valid && !key.is_temporal) {
        let Some((from, to)) = ends(key, differences, merges) else { continue };
        let sql = format!("SELECT count(*) FROM {from} AS f WHERE {}", key.dangles(&to));
        let rows = session.count("checking the foreign keys", sql).await?;
        let follows = key.is_from_outside() && wanted.accept_cascade && key.acts();
        if rows > 0 && !follows {
            refusals.push(refusal(key, differences.iter().map(|one| one.pair), rows));
        }
    }
    Ok(refusals)
}

/// The rows at both ends as they will be; nothing where they cannot become less right, or cannot be told beforehand: they
/// are those of one partition, or of columns that the archive does not have. Those are checked afterwards.
fn ends(key: &Reference, differences: &[Difference<'_>], merges: bool) -> Option<(String, String)> {
    let of = |oid| differences.iter().find(|one| one.pair.oid == oid);
    let from = match (of(key.from), key.from_root()) {
        (Some(one), _) if one.loads(&key.columns) && merges => one.new_rows(),
        (Some(one), _) if one.loads(&key.columns) => one.after(false),
        (None, None) if !merges => key.from_rows(),
        _ => return None,
    };
    let to = match (of(key.to), key.to_root()) {
        (Some(one), _) if one.loads(&key.referenced) => one.after(merges),
        (None, None) => key.to_rows(),
        _ => return None,
    };
    Some((from, to))
}

/// Whether [`of_references`] passes it over, although it is to hold afterwards.
pub(super) fn is_told_afterwards(key: &Reference, differences: &[Difference<'_>], merges: bool) -> bool {
    let outside_of_merge = merges && key.is_from_outside();
    key.is_valid && !key.is_temporal && !outside_of_merge && ends(key, differences, merges).is_none()
}

/// By the names that the archive has for restored tables.
pub(super) fn refusal<'p>(
    key: &Reference,
    pairs: impl IntoIterator<Item = &'p TablePair>,
    rows: u64,
) -> Refusal {
    let (mut from, mut to) = (key.from_name(), key.to_name());
    for pair in pairs {
        if Some(pair.oid) == key.from_root() {
            from.clone_from(&pair.archive.name);
        }
        if Some(pair.oid) == key.to_root() {
            to.clone_from(&pair.archive.name);
        }
    }
    let constraint = key.name.clone();
    if key.is_from_outside() {
        Refusal::Referenced { table: to, from, constraint, rows }
    } else {
        Refusal::Dangling { table: from, to, constraint, rows }
    }
}

/// Rows that reference nothing now.
pub(super) async fn count_dangling(session: &mut Session<'_>, key: &Reference) -> Result<u64, Failure> {
    let sql = format!("SELECT count(*) FROM {} AS f WHERE {}", key.from_rows(), key.dangles(&key.to_rows()));
    session.count("checking the foreign keys", sql).await
}

/// A row that a table does not take is a refusal by the constraint's name.
pub(super) fn meant(failure: Failure, pairs: &[TablePair], source: &str) -> Failure {
    let Failure::Server { error, .. } = &failure else { return failure };
    let Some(error) = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
    else {
        return failure;
    };
    if !error.code().starts_with("23") {
        return failure;
    }
    let place = (error.schema().unwrap_or_default(), error.table().unwrap_or_default());
    let pair = pairs.iter().find(|pair| (&*pair.live.namespace, &*pair.live.table) == place);
    let table = pair.map_or_else(|| archive_name(place.0, place.1), |pair| pair.archive.name.clone());
    let constraint = match (error.constraint(), error.column()) {
        (Some(constraint), _) => constraint.to_owned(),
        (None, Some(column)) => format!("NOT NULL of column {column}"),
        (None, None) => "the partitions".to_owned(),
    };
    let refusals = vec![Refusal::Violated { table, constraint, rows: 1 }];
    Error::Refused { name: source.to_owned(), refusals }.into()
}

/// A unique index.
#[derive(sqlx_macros::FromRow)]
pub(super) struct Unique {
    table: i64,
    name: String,
    /// Its columns and expressions, as SQL reads them beside a FROM that has the columns.
    parts: Vec<String>,
    condition: Option<String>,
    nulls_are_equal: bool,
    pub(super) is_deferrable: bool,
}

/// The unique indexes of the tables. That of the key itself is on the stage as well.
pub(super) async fn unique(
    session: &mut Session<'_>,
    differences: &[Difference<'_>],
) -> Result<Vec<Unique>, Failure> {
    let version = session.connection.server_version_num().unwrap_or(0);
    let nulls = if version >= 150_000 { "i.indnullsnotdistinct" } else { "false" };
    let tables: Vec<String> = differences.iter().map(|one| one.pair.oid.to_string()).collect();
    let sql = format!(
        "SELECT i.indrelid::int8 AS table, c.relname::text AS name,
                ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(1, i.indnkeyatts) AS n
                      ORDER BY n) AS parts,
                pg_get_expr(i.indpred, i.indrelid) AS condition, {nulls} AS nulls_are_equal,
                NOT i.indimmediate AS is_deferrable
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE i.indrelid = ANY ('{{{}}}'::int8[]::oid[]) AND i.indisunique AND i.indisvalid
           AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype = 'x')
         ORDER BY 1, 2",
        tables.join(",")
    );
    session.rows("reading the keys", sql).await
}

impl Unique {
    /// The table that it is of.
    pub(super) fn of<'d, 'p>(&self, differences: &'d [Difference<'p>]) -> Option<&'d Difference<'p>> {
        differences.iter().find(|one| one.pair.oid == self.table)
    }

    pub(super) fn is_key_of(&self, difference: &Difference<'_>) -> bool {
        let key: Vec<&String> = difference.pair.key.iter().collect();
        let parts: Vec<String> = self.parts.iter().map(|part| unquoted(part)).collect();
        self.condition.is_none() && !self.is_deferrable && parts.iter().collect::<Vec<_>>() == key
    }

    /// Rows of `from` that are too many.
    pub(super) fn violations(&self, from: &str) -> String {
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

    pub(super) fn refusal(&self, difference: &Difference<'_>, rows: u64) -> Refusal {
        let table = difference.pair.archive.name.clone();
        Refusal::Violated { table, constraint: self.name.clone(), rows }
    }
}

/// A column as the server prints it in an index.
fn unquoted(part: &str) -> String {
    match part.strip_prefix('"').and_then(|part| part.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => part.to_owned(),
    }
}

/// Of unique and exclusion constraints. Checks are on the stage as well. What needs a column that is not loaded is found
/// by the swap.
pub(super) async fn of_keys(
    session: &mut Session<'_>,
    wanted: &Wanted,
    differences: &[Difference<'_>],
) -> Result<Vec<Refusal>, Failure> {
    let merges = wanted.mode == Mode::Merge;
    let mut refusals = Vec::new();
    for unique in unique(session, differences).await? {
        let Some(difference) = unique.of(differences) else { continue };
        if unique.is_key_of(difference) {
            continue;
        }
        let sql = unique.violations(&difference.after(merges));
        let counted = attempt(session.connection, async |connection| {
            sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).persistent(false).fetch_one(connection).await
        });
        match counted.await.map_err(|error| Failure::server("checking the unique keys", error))? {
            Ok(0) | Err(_) => {}
            Ok(rows) => refusals.push(unique.refusal(difference, rows.unsigned_abs())),
        }
    }
    if !merges {
        for difference in differences {
            refusals.extend(excluding(session, difference).await?);
        }
    }
    Ok(refusals)
}

/// Of constraints that the server checks by a trigger, which is silent under the replica role.
pub(super) async fn of_deferrable(
    session: &mut Session<'_>,
    differences: &[Difference<'_>],
) -> Result<Vec<Refusal>, Failure> {
    let mut refusals = Vec::new();
    for unique in unique(session, differences).await?.into_iter().filter(|unique| unique.is_deferrable) {
        let Some(difference) = unique.of(differences) else { continue };
        let rows = session.count("checking the unique keys", unique.violations(&difference.live)).await?;
        if rows > 0 {
            refusals.push(unique.refusal(difference, rows));
        }
    }
    Ok(refusals)
}

/// The stage tries to take the exclusion constraints of the live table. Building their indexes is the only way to look
/// for pairs of rows that does not compare each with each.
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
        if added.is_err_and(|error| crate::fault::sqlstate(&error) == Some("23P01")) {
            let table = difference.pair.archive.name.clone();
            refusals.push(Refusal::Violated { table, constraint: constraint.name.clone(), rows: 1 });
        }
    }
    Ok(refusals)
}
