//! Finds the difference before anyone has to wait; under the locks, only rows that have changed since then are compared
//! again.
//!
//! A row that was written since then has an `xmin` at or after the oldest transaction that was running when the difference
//! was found. This can also be true of older rows; comparing them again does no harm. Deleted rows are detected by
//! counting the rows that were not written since, and the written ones whose key existed before. If these are fewer than
//! all rows of that time, some were deleted, and the whole difference is found again.

use super::counts::Counts;
use super::exchange;
use crate::postgres::load::difference::Difference;
use crate::postgres::load::session::begin_snapshot;
use crate::postgres::load::statements::{Failure, Session};

/// State of one table when its difference was found.
pub(super) struct Early {
    /// The oldest transaction that the snapshot may not have seen.
    oldest: String,
    /// Number of live rows.
    rows: u64,
}

/// Finds the difference of each table that has a key, and commits it. Other tables are compared as a whole under the locks.
pub(super) async fn find(
    session: &mut Session<'_>,
    differences: &[Difference<'_>],
    lock: std::time::Duration,
) -> Result<Vec<Option<Early>>, Failure> {
    begin_snapshot(session.connection, session.source, lock).await?;
    let (oldest,): (String,) = session
        .row("finding the difference", "SELECT pg_snapshot_xmin(pg_current_snapshot())::xid::text".to_owned())
        .await?;
    let mut found = Vec::with_capacity(differences.len());
    for difference in differences {
        if !difference.has_key() {
            found.push(None);
            continue;
        }
        let what = format!("comparing table {}", difference.pair.archive.name);
        exchange::find(session, difference, &mut Counts::default(), false).await?;
        let (undo, added) = (&difference.pair.undo, &difference.pair.added);
        session.run(&what, format!("ANALYZE {undo}; ANALYZE {added}")).await?;
        let rows = session.count(&what, format!("SELECT count(*) FROM {}", difference.live)).await?;
        found.push(Some(Early { oldest: oldest.clone(), rows }));
    }
    session.run("finding the difference", "COMMIT".to_owned()).await?;
    Ok(found)
}

impl Early {
    /// Brings the difference up to date. `fresh` is a temporary table for keys.
    pub(super) async fn renew(
        &self,
        session: &mut Session<'_>,
        difference: &Difference<'_>,
        counts: &mut Counts,
        fresh: &str,
    ) -> Result<(), Failure> {
        let what = format!("comparing table {}", difference.pair.archive.name);
        let (undo, added) = (&difference.pair.undo, &difference.pair.added);
        let is_fresh = format!("age(l.xmin) <= age('{}'::xid)", self.oldest);
        let sql =
            format!("SELECT count(*), count(*) FILTER (WHERE {is_fresh}) FROM {} AS l", difference.live);
        let (rows, written): (i64, i64) = session.row(&what, sql).await?;
        let (rows, written) = (rows.unsigned_abs(), written.unsigned_abs());
        if (rows, written) != (self.rows, 0) {
            let keys = difference.keys("l");
            let sql = format!(
                "CREATE TABLE {fresh} AS SELECT {keys} FROM {} AS l WHERE {is_fresh}",
                difference.live
            );
            session.run_each(&what, vec![sql, format!("ANALYZE {fresh}")]).await?;
            let replaced = session.count(&what, difference.count_known(fresh)).await?;
            // Each earlier row either still exists, was replaced, or is gone.
            if self.rows != rows - written + replaced {
                session.run(&what, format!("DROP TABLE {fresh}, {undo}, {added}")).await?;
                return exchange::find(session, difference, counts, false).await;
            }
            session.run_each(&what, difference.renew(fresh)).await?;
        }
        let total = |table: &str| format!("SELECT count(*) FROM {table}");
        counts.removed = session.count(&what, total(undo)).await?;
        counts.changed = session.count(&what, difference.count_changed()).await?;
        let added = session.count(&what, total(added)).await?;
        counts.created = added.saturating_sub(counts.changed);
        counts.kept = counts.staged.saturating_sub(added);
        Ok(())
    }
}

impl Difference<'_> {
    /// SQL: the number of keys of `fresh` that were in the live table when the difference was found: keys of rows that
    /// the difference deletes, or of staged rows that it leaves unchanged.
    fn count_known(&self, fresh: &str) -> String {
        let (undo, added, stage) = (&self.pair.undo, &self.pair.added, &self.pair.stage);
        format!(
            "SELECT count(*) FROM {fresh} AS f LEFT JOIN {undo} AS u ON {} LEFT JOIN {stage} AS s ON {}
             LEFT JOIN {added} AS a ON {} WHERE NOT {} OR (NOT {} AND {})",
            self.same_key("u", "f"),
            self.same_key("s", "f"),
            self.same_key("a", "f"),
            format_args!("({})", self.missing("u")),
            format_args!("({})", self.missing("s")),
            self.missing("a")
        )
    }

    fn count_changed(&self) -> String {
        let (undo, stage) = (&self.pair.undo, &self.pair.stage);
        format!("SELECT count(*) FROM {undo} AS u JOIN {stage} AS s ON {}", self.same_key("u", "s"))
    }

    /// Finds the difference for the rows in `fresh` again.
    fn renew(&self, fresh: &str) -> Vec<String> {
        let (undo, added, stage) = (&self.pair.undo, &self.pair.added, &self.pair.stage);
        let find = format!(
            "INSERT INTO {undo} SELECT l.* FROM {fresh} AS f JOIN {} AS l ON {} LEFT JOIN {} ON {} WHERE {} OR {}",
            self.live,
            self.same_key("l", "f"),
            self.staged(),
            self.same_key("l", "s"),
            self.missing("s"),
            self.differs("l")
        );
        let note = format!(
            "INSERT INTO {added} SELECT {} FROM {fresh} AS f JOIN {undo} AS u ON {} JOIN {stage} AS s ON {}",
            self.keys("s"),
            self.same_key("u", "f"),
            self.same_key("s", "f")
        );
        let forget = |table: &str, alias: &str| {
            format!("DELETE FROM {table} AS {alias} USING {fresh} AS f WHERE {}", self.same_key(alias, "f"))
        };
        vec![forget(undo, "u"), forget(added, "a"), find, note, format!("DROP TABLE {fresh}")]
    }
}
