//! Applying the difference while the application runs.
//!
//! One transaction at READ COMMITTED under EXCLUSIVE locks: every reader goes on and sees the old rows until the commit,
//! also from an older snapshot, because rows are deleted and inserted as anybody would. The removed rows and the keys of
//! the added ones stay in tables of ours. Everything that could stop it is looked for before the first row changes.

use std::time::Duration;

use sqlx::postgres::PgConnection;

use super::difference::{self, Difference};
use super::locks::{Limits, Locked, Work, hold};
use super::pair::{Place, TablePair, pairs};
use super::references::{self, Reference};
use super::registry::{self, Applied, AppliedTable, OutsideTable};
use super::statements::{Failure, Session};
use super::{cascade, fingerprint, keys, large, quiet, replica, sequences, violations};
use crate::error::{Error, Result};
use crate::load::{Mode, Refusal, SwapLimits, Swapped, TableChanges, TargetOptions, Wanted};
use crate::postgres::types::Oid;

/// What is applied.
pub(super) struct Swap<'a> {
    pub(super) options: &'a TargetOptions,
    pub(super) wanted: &'a Wanted,
    pub(super) fingerprint: &'a str,
    pub(super) pairs: &'a [TablePair],
    /// The restore's id.
    pub(super) id: &'a str,
    pub(super) place: &'a Place,
}

/// Rows of one table.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    staged: u64,
    created: u64,
    changed: u64,
    removed: u64,
    conflicts: u64,
    kept: u64,
}

/// The part of a swap that holds the locks.
struct Exchange<'a> {
    swap: &'a Swap<'a>,
    staged: Vec<Counts>,
}

impl Work for Exchange<'_> {
    type Done = Vec<Counts>;

    async fn run(&self, session: &mut Session<'_>) -> Result<Vec<Counts>, Failure> {
        let done = self.swap.exchange(session, &self.staged).await;
        done.map_err(|failure| violations::meant(failure, self.swap.pairs, session.source))
    }
}

impl Swap<'_> {
    /// Does it, in a transaction of its own.
    pub(super) async fn apply(&self, connection: &mut PgConnection, limits: &SwapLimits) -> Result<Swapped> {
        let source = &self.options.read.source;
        let (tables, staged) = self.prepare(connection).await.map_err(|failure| failure.of(source))?;
        let limits = Limits { lock: limits.lock, pause: limits.pause };
        let exchange = Exchange { swap: self, staged };
        let (counts, paused) = hold(connection, source, &tables, limits, &exchange).await?;
        Ok(self.swapped(&counts, paused))
    }

    fn merges(&self) -> bool {
        self.wanted.mode == Mode::Merge
    }

    fn follows(&self) -> bool {
        self.wanted.accept_cascade && self.wanted.mode == Mode::Replace
    }

    /// The tables to lock, and how many rows are staged: what needs no lock. A table outside whose foreign key is dropped is
    /// locked with the others: otherwise whoever inserts there would hold it while waiting for one of ours.
    async fn prepare(&self, connection: &mut PgConnection) -> Result<(Vec<Locked>, Vec<Counts>), Failure> {
        let mut session = Session::new(connection, &self.options.read.source);
        let mut tables: Vec<Locked> = self.pairs.iter().map(Locked::of).collect();
        let keys = references::of_set(&mut session, self.pairs, self.follows()).await?;
        let drops = !self.merges() && !replica::of(&mut session).await?.is_allowed;
        let changes = |key: &&Reference| key.is_from_outside() && (drops || (self.follows() && key.acts()));
        tables.extend(keys.iter().filter(changes).map(Locked::referencing));
        let differences = difference::of(&mut session, self.pairs).await?;
        let mut staged = Vec::with_capacity(differences.len());
        for difference in &differences {
            staged.push(self.staged(&mut session, difference).await?);
        }
        Ok((tables, staged))
    }

    /// What a merge keeps is counted without a lock: it changes nothing.
    async fn staged(
        &self,
        session: &mut Session<'_>,
        difference: &Difference<'_>,
    ) -> Result<Counts, Failure> {
        let sql = format!("SELECT count(*) FROM {}", difference.pair.stage);
        let staged = session.count("counting staged rows", sql).await?;
        if !self.merges() {
            return Ok(Counts { staged, ..Counts::default() });
        }
        let before = super::compare::count(session, difference, true).await?;
        Ok(Counts { staged, conflicts: before.conflicts, kept: before.kept, ..Counts::default() })
    }

    /// Everything between the locks and the commit.
    async fn exchange(&self, session: &mut Session<'_>, staged: &[Counts]) -> Result<Vec<Counts>, Failure> {
        self.check_fingerprint(session).await?;
        let replica = replica::of(session).await?;
        if replica.is_allowed {
            replica::take(session).await?;
        }
        let differences = difference::of(session, self.pairs).await?;
        let keys = references::of_set(session, self.pairs, self.follows()).await?;
        let mut counts = staged.to_vec();
        for (difference, counts) in differences.iter().zip(&mut counts) {
            self.find(session, difference, counts).await?;
        }
        let touched: Vec<Reference> =
            keys.iter().filter(|key| is_touched(key, &differences, &counts)).cloned().collect();
        let refusals = violations::of_references(session, self.wanted, &touched, &differences).await?;
        self.refuse(refusals)?;

        let dropped = touched.iter().filter(|key| self.must_go(key, &differences, &counts));
        let mut dropped: Vec<Reference> = dropped.cloned().collect();
        if self.follows() {
            dropped.extend(keys.iter().filter(|key| !key.is_to_member() && key.is_from_outside()).cloned());
        }
        let tables = self.quiet_tables(&keys);
        let quiet = quiet::begin(session, replica.is_allowed, &tables, dropped).await?;
        self.write(session, &differences, &counts).await?;
        if replica.is_allowed {
            self.check_afterwards(session, &touched, &differences).await?;
        }
        let outside =
            if self.follows() { cascade::follow(session, &keys, self.place).await? } else { Vec::new() };
        let oids: Vec<Oid> = self.pairs.iter().map(|pair| pair.oid).collect();
        sequences::raise(session, &oids, &self.wanted.record).await?;
        large::create_staged(session, self.place, &self.wanted.large_objects).await?;
        quiet.end(session).await?;
        registry::applied(session, self.id, &self.applied(&differences, &counts, outside)).await?;
        Ok(counts)
    }

    async fn check_fingerprint(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        let found = pairs(session.connection, self.options, self.wanted, self.place).await?;
        let there: Vec<&TablePair> = found.iter().flatten().collect();
        if fingerprint::of(session, &there).await? == self.fingerprint {
            return Ok(());
        }
        Err(Error::Stale { name: session.source.to_owned() }.into())
    }

    /// Keeps what will go and notes what will come.
    async fn find(
        &self,
        session: &mut Session<'_>,
        difference: &Difference<'_>,
        counts: &mut Counts,
    ) -> Result<(), Failure> {
        let what = format!("comparing table {}", difference.pair.archive.name);
        counts.created = session.run(&what, difference.note_created()).await?;
        if self.merges() {
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

    fn refuse(&self, refusals: Vec<Refusal>) -> Result<(), Failure> {
        if refusals.is_empty() {
            return Ok(());
        }
        Err(Error::Refused { name: self.options.read.source.clone(), refusals }.into())
    }

    /// All removed rows go before the first one comes, so that values which must be unique are free.
    async fn write(
        &self,
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
        for (difference, counts) in each().filter(|(_, counts)| counts.created + counts.changed > 0) {
            let what = format!("inserting rows into table {}", difference.pair.archive.name);
            let mut inserted = 0;
            for sql in difference.insert(counts.changed > 0) {
                inserted += session.run(&what, sql).await?;
            }
            expect(session, &what, counts.created + counts.changed, inserted)?;
        }
        Ok(())
    }

    /// What the server does not check under the replica role, and could not be told before.
    async fn check_afterwards(
        &self,
        session: &mut Session<'_>,
        keys: &[Reference],
        differences: &[Difference<'_>],
    ) -> Result<(), Failure> {
        let mut refusals = Vec::new();
        for key in keys.iter().filter(|key| violations::is_told_afterwards(key, differences, self.merges())) {
            let rows = violations::count_dangling(session, key).await?;
            let follows = self.follows() && key.is_from_outside() && key.acts();
            if rows > 0 && !follows {
                refusals.push(violations::refusal(key, self.pairs, rows));
            }
        }
        refusals.extend(keys::afterwards(session, differences, |pair| &pair.added).await?);
        self.refuse(refusals)
    }

    /// A foreign key that leads out of the set checks each row that comes, and can stay. One from outside matters only
    /// where rows go.
    fn must_go(&self, key: &Reference, differences: &[Difference<'_>], counts: &[Counts]) -> bool {
        let removed = |root| of(root, differences, counts).is_some_and(|counts| counts.removed > 0);
        key.is_to_member() && (!key.is_from_outside() || removed(key.to_root()))
    }

    /// The restored tables, and those that change with them.
    fn quiet_tables(&self, keys: &[Reference]) -> Vec<Oid> {
        let mut tables: Vec<Oid> = self.pairs.iter().map(|pair| pair.oid).collect();
        if self.follows() {
            tables.extend(references::acting_tables(keys));
        }
        tables.sort_unstable();
        tables.dedup();
        tables
    }

    fn applied(
        &self,
        differences: &[Difference<'_>],
        counts: &[Counts],
        outside: Vec<OutsideTable>,
    ) -> Applied {
        let table = |(difference, counts): (&Difference<'_>, &Counts)| {
            let pair = difference.pair;
            AppliedTable {
                name: pair.archive.name.clone(),
                namespace: pair.live.namespace.clone(),
                table: pair.live.table.clone(),
                stage: pair.stage.clone(),
                undo: pair.undo.clone(),
                added: pair.added.clone(),
                key: pair.key.clone(),
                columns: difference.loaded().map(str::to_owned).collect(),
                is_changed: counts.created + counts.removed > 0,
            }
        };
        let tables = differences.iter().zip(counts).map(table).collect();
        let large_objects = self.wanted.large_objects.clone();
        Applied { tables, outside, large_objects, ..Applied::new(self.wanted.mode) }
    }

    fn swapped(&self, counts: &[Counts], paused: Duration) -> Swapped {
        let table = |counts: &Counts| TableChanges {
            created: counts.created,
            changed: counts.changed,
            deleted: counts.removed.saturating_sub(counts.changed),
            kept: counts.kept,
            conflicts: counts.conflicts,
            examples: Vec::new(),
        };
        Swapped { tables: counts.iter().map(table).collect(), paused }
    }
}

/// The counts of a restored table.
fn of<'c>(root: Option<Oid>, differences: &[Difference<'_>], counts: &'c [Counts]) -> Option<&'c Counts> {
    let at = differences.iter().position(|one| Some(one.pair.oid) == root)?;
    counts.get(at)
}

/// Whether rows come at its referencing end, or go at the other one.
fn is_touched(key: &Reference, differences: &[Difference<'_>], counts: &[Counts]) -> bool {
    let from = of(key.from_root(), differences, counts);
    let to = of(key.to_root(), differences, counts);
    from.is_some_and(|counts| counts.created + counts.changed > 0)
        || to.is_some_and(|counts| counts.removed > 0)
}

/// Rows that something else rewrites or leaves out must not go unnoticed.
fn expect(session: &Session<'_>, what: &str, expected: u64, done: u64) -> Result<(), Failure> {
    if expected == done {
        return Ok(());
    }
    let problem = format!("{what}: {done} of {expected} rows, so that nothing was changed");
    Err(Error::Protocol { name: session.source.to_owned(), table: String::new(), problem }.into())
}

impl Locked {
    pub(super) fn of(pair: &TablePair) -> Self {
        Self {
            namespace: pair.live.namespace.clone(),
            table: pair.live.table.clone(),
            is_partitioned: pair.live.partition_key.is_some(),
            oid: pair.oid,
        }
    }

    /// The table that has the foreign key.
    pub(super) fn referencing(key: &Reference) -> Self {
        let (namespace, table, is_partitioned) = key.from_place();
        Self { namespace: namespace.to_owned(), table: table.to_owned(), is_partitioned, oid: key.from }
    }
}
