//! References that would dangle after the restore: counted before anything is changed.
//!
//! The tables' future rows are known from stage and live table, so everything is read from there. Under the replica role the
//! server does not check foreign keys; otherwise its message would name one row of one table.

use super::difference::Difference;
use super::pair::TablePair;
use super::references::Reference;
use super::statements::{Failure, Session};
use crate::error::Error;
use crate::load::{Mode, Refusal};
use crate::postgres::naming::archive_name;
use sqlx::postgres::PgDatabaseError;

/// Rows at the referencing end that could dangle.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Nothing,
    /// Rows that are recorded as added.
    Added,
    All,
}

/// Rows that would dangle.
pub(super) struct Found<'k> {
    pub(super) key: &'k Reference,
    pub(super) rows: u64,
}

impl Found<'_> {
    pub(super) fn refusal<'p>(&self, pairs: impl IntoIterator<Item = &'p TablePair>) -> Refusal {
        refusal(self.key, pairs, self.rows)
    }
}

/// Violations of those of `keys` that are known to hold now, limited by `scope`.
pub(super) async fn of_references<'k>(
    session: &mut Session<'_>,
    mode: Mode,
    keys: &'k [Reference],
    differences: &[Difference<'_>],
    scope: impl Fn(&Reference) -> Scope,
) -> Result<Vec<Found<'k>>, Failure> {
    let merges = mode == Mode::Merge;
    let mut found = Vec::new();
    for key in keys.iter().filter(|key| key.is_valid && !key.is_temporal) {
        let Some((from, to)) = ends(key, differences, merges, scope(key)) else { continue };
        let sql = format!("SELECT count(*) FROM {from} AS f WHERE {}", key.dangles(&to));
        let rows = session.count("checking the foreign keys", sql).await?;
        if rows > 0 {
            found.push(Found { key, rows });
        }
    }
    Ok(found)
}

/// The future rows at both ends; `None` if they cannot become invalid, or cannot be determined beforehand because they are
/// those of one partition, or of columns that the archive does not have. Those are checked afterwards.
fn ends(
    key: &Reference,
    differences: &[Difference<'_>],
    merges: bool,
    scope: Scope,
) -> Option<(String, String)> {
    let of = |oid| differences.iter().find(|one| one.pair.oid == oid);
    let from = match (of(key.from.oid), key.from.root) {
        _ if scope == Scope::Nothing => return None,
        (Some(one), _) if one.loads(&key.columns) => match scope {
            Scope::Added => one.added_rows(),
            _ if merges => one.new_rows(),
            _ => one.after(false),
        },
        (None, None) if !merges && scope == Scope::All => key.from.rows(),
        _ => return None,
    };
    let to = match (of(key.to.oid), key.to.root) {
        (Some(one), _) if one.loads(&key.referenced) => one.after(merges),
        (None, None) => key.to.rows(),
        _ => return None,
    };
    Some((from, to))
}

/// Whether [`of_references`] skips a key that must hold afterwards.
pub(super) fn is_told_afterwards(key: &Reference, differences: &[Difference<'_>], merges: bool) -> bool {
    let outside_of_merge = merges && key.from.is_outside();
    key.is_valid
        && !key.is_temporal
        && !outside_of_merge
        && ends(key, differences, merges, Scope::All).is_none()
}

/// Uses the archive names of restored tables.
pub(super) fn refusal<'p>(
    key: &Reference,
    pairs: impl IntoIterator<Item = &'p TablePair>,
    rows: u64,
) -> Refusal {
    let (mut from, mut to) = (key.from.name(), key.to.name());
    for pair in pairs {
        if Some(pair.oid) == key.from.root {
            from.clone_from(&pair.archive.name);
        }
        if Some(pair.oid) == key.to.root {
            to.clone_from(&pair.archive.name);
        }
    }
    let constraint = key.name.clone();
    if key.from.is_outside() {
        Refusal::Referenced { table: to, from, constraint, rows }
    } else {
        Refusal::Dangling { table: from, to, constraint, rows }
    }
}

/// Number of rows that dangle now.
pub(super) async fn count_dangling(session: &mut Session<'_>, key: &Reference) -> Result<u64, Failure> {
    let sql = format!("SELECT count(*) FROM {} AS f WHERE {}", key.from.rows(), key.dangles(&key.to.rows()));
    session.count("checking the foreign keys", sql).await
}

/// Converts a row rejected by a table to a refusal that names the constraint.
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
