//! The statements that find and write the difference, and the counts with which each of them must agree.

use super::counts::Counts;
use crate::error::Error;
use crate::postgres::load::difference::Difference;
use crate::postgres::load::statements::{Failure, Session};

/// Keeps the rows that will be deleted and records those that will be added.
pub(super) async fn find(
    session: &mut Session<'_>,
    difference: &Difference<'_>,
    counts: &mut Counts,
    merges: bool,
) -> Result<(), Failure> {
    let what = format!("comparing table {}", difference.pair.archive.name);
    counts.created = session.run(&what, difference.note_created()).await?;
    if merges {
        return Ok(());
    }
    if difference.has_key() {
        counts.removed = session.run(&what, difference.keep_removed()).await?;
        counts.changed = session.run(&what, difference.note_changed()).await?;
    } else {
        let live = format!("SELECT count(*) FROM {}", difference.live);
        let kept = counts.staged.saturating_sub(counts.created);
        counts.removed = session.count(&what, live).await?.saturating_sub(kept);
        if counts.removed + counts.created > 0 {
            session.run(&what, difference.keep_removed()).await?;
        }
    }
    counts.kept = counts.staged.saturating_sub(counts.created + counts.changed);
    Ok(())
}

/// All deletions precede the first insertion, so that unique values are free.
pub(super) async fn write(
    session: &mut Session<'_>,
    differences: &[Difference<'_>],
    counts: &[Counts],
) -> Result<(), Failure> {
    let each = || differences.iter().zip(counts);
    for (difference, counts) in each().filter(|(_, counts)| counts.removed > 0) {
        let what = format!("deleting rows of table {}", difference.pair.archive.name);
        let deleted = session.run(&what, difference.delete()).await?;
        expect(session, &what, counts.removed, deleted)?;
    }
    for (difference, counts) in each().filter(|(_, counts)| counts.added() > 0) {
        let what = format!("inserting rows into table {}", difference.pair.archive.name);
        let mut inserted = 0;
        for sql in difference.insert(counts.changed > 0) {
            inserted += session.run(&what, sql).await?;
        }
        expect(session, &what, counts.added(), inserted)?;
    }
    Ok(())
}

/// Detects rows that something else rewrote or left out.
fn expect(session: &Session<'_>, what: &str, expected: u64, done: u64) -> Result<(), Failure> {
    if expected == done {
        return Ok(());
    }
    let problem = format!("a row count of {done} instead of {expected} when {what}, so nothing was changed");
    Err(Error::Protocol { name: session.source.to_owned(), table: String::new(), problem }.into())
}
