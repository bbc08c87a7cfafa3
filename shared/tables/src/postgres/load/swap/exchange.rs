//! The statements that find the difference and write it, and the counts that each of them must agree with.

use super::counts::Counts;
use crate::error::Error;
use crate::postgres::load::difference::Difference;
use crate::postgres::load::statements::{Failure, Session};

/// Keeps what will go and notes what will come.
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

/// All removed rows go before the first one comes, so that values which must be unique are free.
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

/// Rows that something else rewrites or leaves out must not go unnoticed.
fn expect(session: &Session<'_>, what: &str, expected: u64, done: u64) -> Result<(), Failure> {
    if expected == done {
        return Ok(());
    }
    let problem = format!("{what}: {done} of {expected} rows, so that nothing was changed");
    Err(Error::Protocol { name: session.source.to_owned(), table: String::new(), problem }.into())
}
