//! The effect of applying a stage now: counts, examples, and objections that only the rows can show.
//!
//! Comparing blocks nobody: it reads, and holds no stronger locks than a reader. The swap compares again, under its locks,
//! and uses that result.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;

use super::cascade::foreseen;
use super::difference::{self, Difference};
use super::pair::{Place, TablePair};
use super::references::{self, Reference};
use super::statements::{Failure, Session};
use super::violations::{self, Scope};
use super::{keys, large};
use crate::error::Result;
use crate::load::{Change, Comparison, Example, MOST_EXAMPLES, Mode, TableChanges, Wanted};
use crate::postgres::types::Oid;

/// Maximum length of a key in an example, in bytes.
const LONGEST_KEY: usize = 200;
/// Time that the swap takes under its locks for each row that it deletes or inserts; measured with four indexes.
const EACH_ROW: Duration = Duration::from_micros(25);

/// Runs in an open transaction that contains the stage.
pub(super) async fn compare(
    connection: &mut PgConnection,
    source: &str,
    wanted: &Wanted,
    (pairs, place): (&[TablePair], &Place),
) -> Result<Comparison> {
    let mut session = Session::new(connection, source);
    compare_in(&mut session, wanted, (pairs, place)).await.map_err(|failure| failure.of(source))
}

async fn compare_in(
    session: &mut Session<'_>,
    wanted: &Wanted,
    (pairs, place): (&[TablePair], &Place),
) -> Result<Comparison, Failure> {
    let merges = wanted.mode == Mode::Merge;
    let differences = difference::of(session, pairs).await?;
    let mut comparison = Comparison::default();
    for difference in &differences {
        let began = Instant::now();
        let changes = count(session, difference, merges).await?;
        let written = u32::try_from(written(&changes)).unwrap_or(u32::MAX);
        comparison.writers_wait += compared_again(difference, merges, began.elapsed()) + EACH_ROW * written;
        comparison.tables.push(changes);
    }
    for (difference, changes) in differences.iter().zip(&mut comparison.tables) {
        changes.examples = examples(session, difference, changes).await?;
    }
    let set: Vec<Oid> = pairs.iter().map(|pair| pair.oid).collect();
    let keys = references::of_set(session, &set, wanted.mode == Mode::Replace).await?;
    let of_set: Vec<Reference> = keys.iter().filter(|key| !key.is_outside()).cloned().collect();
    let found =
        violations::of_references(session, wanted.mode, &of_set, &differences, |_| Scope::All).await?;
    let further = foreseen::further(session, &keys, &differences).await?;
    for one in found.iter().chain(&further) {
        if wanted.accept_cascade && one.key.follows() {
            comparison.warnings.push(foreseen::warning(one));
        } else {
            comparison.refusals.push(one.refusal(pairs));
        }
    }
    comparison.refusals.extend(keys::before(session, wanted, &differences).await?);
    comparison.refusals.extend(large::refusals(session, place, &wanted.large_objects).await?);
    Ok(comparison)
}

/// Estimated time of the comparison under the locks. A merge, or a table without a key, is compared again as a whole:
/// twice the time of this comparison. Otherwise each row is only looked up: a quarter of it.
fn compared_again(difference: &Difference<'_>, merges: bool, took: Duration) -> Duration {
    if merges || !difference.has_key() { took * 2 } else { took / 4 }
}

fn written(changes: &TableChanges) -> u64 {
    changes.created + changes.deleted + 2 * changes.changed
}

/// The differences of a table's rows, without examples.
pub(super) async fn count(
    session: &mut Session<'_>,
    difference: &Difference<'_>,
    merges: bool,
) -> Result<TableChanges, Failure> {
    let what = format!("comparing table {}", difference.pair.archive.name);
    let stage = &difference.pair.stage;
    let sql = if difference.has_key() {
        format!(
            "SELECT (SELECT count(*) FROM {stage}), count(*) FILTER (WHERE {0}), count(*) FILTER (WHERE NOT {0} AND {1}),
                    count(*) FILTER (WHERE NOT {0} AND NOT {1})
             FROM {2} AS l LEFT JOIN {3} ON {4}",
            format_args!("({})", difference.missing("s")),
            difference.differs("l"),
            difference.live,
            difference.staged(),
            difference.same_key("l", "s")
        )
    } else {
        format!(
            "SELECT (SELECT count(*) FROM {stage}), count(*) FILTER (WHERE s.nth IS NULL), 0::int8,
                    count(*) FILTER (WHERE s.nth IS NOT NULL)
             FROM {} AS l LEFT JOIN {} AS s ON l.image = s.image AND l.nth = s.nth",
            difference.counted(&difference.live),
            difference.counted(stage)
        )
    };
    let (staged, only_live, differing, same): (i64, i64, i64, i64) = session.row(&what, sql).await?;
    let [staged, only_live, differing, same] = [staged, only_live, differing, same].map(i64::unsigned_abs);
    let created = staged.saturating_sub(differing + same);
    Ok(if merges {
        TableChanges { created, conflicts: differing, kept: only_live + same, ..TableChanges::default() }
    } else {
        TableChanges {
            created,
            changed: differing,
            deleted: only_live,
            kept: same,
            ..TableChanges::default()
        }
    })
}

/// Every kind that occurs gets a share of the examples.
async fn examples(
    session: &mut Session<'_>,
    difference: &Difference<'_>,
    changes: &TableChanges,
) -> Result<Vec<Example>, Failure> {
    if !difference.has_key() {
        return Ok(Vec::new());
    }
    let kinds = [
        (Change::Created, changes.created),
        (Change::Changed, changes.changed),
        (Change::Deleted, changes.deleted),
        (Change::Conflict, changes.conflicts),
    ];
    let mut left = MOST_EXAMPLES;
    let mut kinds: Vec<(Change, u64)> = kinds.into_iter().filter(|(_, rows)| *rows > 0).collect();
    // The smallest kinds come first, so that their unused share goes to the others.
    kinds.sort_by_key(|(_, rows)| *rows);
    let mut examples = Vec::new();
    while let Some((change, _)) = kinds.first().copied() {
        let share = left / kinds.len();
        kinds.remove(0);
        let keys = keys(session, difference, change, share).await?;
        left -= keys.len().min(left);
        examples.extend(keys.into_iter().map(|(key,)| Example { change, key: cut(key) }));
    }
    Ok(examples)
}

async fn keys(
    session: &mut Session<'_>,
    difference: &Difference<'_>,
    change: Change,
    limit: usize,
) -> Result<Vec<(String,)>, Failure> {
    let (live, stage) = (&difference.live, &difference.pair.stage);
    let same = difference.same_key("l", "s");
    let (alias, from) = match change {
        Change::Created => {
            ("s", format!("{stage} AS s WHERE NOT EXISTS (SELECT FROM {live} AS l WHERE {same})"))
        }
        Change::Deleted => {
            ("l", format!("{live} AS l WHERE NOT EXISTS (SELECT FROM {stage} AS s WHERE {same})"))
        }
        Change::Changed | Change::Conflict => (
            "l",
            format!("{live} AS l JOIN {} ON {same} WHERE {}", difference.staged(), difference.differs("l")),
        ),
    };
    let what = format!("comparing table {}", difference.pair.archive.name);
    session.rows(&what, format!("SELECT {} FROM {from} LIMIT {limit}", difference.printed_key(alias))).await
}

fn cut(mut key: String) -> String {
    key.truncate(key.floor_char_boundary(LONGEST_KEY));
    key
}
