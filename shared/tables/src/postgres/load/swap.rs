//! Applies the difference while the application runs.
//!
//! One READ COMMITTED transaction under EXCLUSIVE locks: readers continue and see the old rows until the commit, even from an
//! older snapshot, because rows are deleted and inserted normally. The deleted rows and the keys of the added ones stay in
//! our own tables. Everything that could prevent the swap is checked before the first row changes.

mod counts;
mod early;
mod exchange;

use sqlx::postgres::PgConnection;

use super::difference::{self, Difference};
use super::locks::{Limits, Locked, Work, hold};
use super::pair::{Place, TablePair, pairs};
use super::references::{self, Reference};
use super::registry::{self, Applied, AppliedTable, OutsideTable};
use super::session::begin;
use super::statements::{Failure, Session};
use super::{cascade, fingerprint, keys, large, quiet, replica, sequences, violations};
use crate::error::{Error, Result};
use crate::load::{Mode, Refusal, SwapLimits, Swapped, TargetOptions, Wanted};
use crate::postgres::types::Oid;
use counts::{Counts, is_touched, of, scope};
use early::Early;

/// The stage to be applied.
pub(super) struct Swap<'a> {
    pub(super) options: &'a TargetOptions,
    pub(super) wanted: &'a Wanted,
    pub(super) fingerprint: &'a str,
    pub(super) pairs: &'a [TablePair],
    /// The restore's id.
    pub(super) id: &'a str,
    pub(super) place: &'a Place,
    /// When it was staged.
    pub(super) since: i64,
}

/// The part of a swap that runs under the locks.
struct Exchange<'a> {
    swap: &'a Swap<'a>,
    staged: Vec<Counts>,
    early: Vec<Option<Early>>,
    /// Large objects to be created.
    objects: Vec<u32>,
}

impl Work for Exchange<'_> {
    type Done = Vec<Counts>;

    async fn run(&self, session: &mut Session<'_>) -> Result<Vec<Counts>, Failure> {
        let done = self.swap.exchange(session, (&self.staged, &self.early), &self.objects).await;
        done.map_err(|failure| violations::meant(failure, self.swap.pairs, session.source))
    }
}

impl Swap<'_> {
    /// Applies the stage in a separate transaction.
    pub(super) async fn apply(&self, connection: &mut PgConnection, limits: &SwapLimits) -> Result<Swapped> {
        let source = &self.options.read.source;
        begin(connection, source, self.options.lock).await?;
        let mut session = Session::new(connection, source);
        let prepared = self.prepared(&mut session).await;
        session.roll_back().await;
        let ((tables, staged), objects) = prepared.map_err(|failure| failure.of(source))?;
        let early = self.find_early(&mut session).await;
        if early.is_err() {
            session.roll_back().await;
        }
        let early = early.map_err(|failure| failure.of(source))?;
        let limits = Limits { restore: self.id, lock: limits.lock, pause: limits.pause };
        let exchange = Exchange { swap: self, staged, early, objects };
        let (counts, paused) = hold(connection, source, &tables, limits, &exchange).await?;
        Ok(Swapped { tables: counts.iter().map(Counts::changes).collect(), paused })
    }

    async fn prepared(
        &self,
        session: &mut Session<'_>,
    ) -> Result<((Vec<Locked>, Vec<Counts>), Vec<u32>), Failure> {
        let objects = large::missing(session, self.place, &self.wanted.large_objects).await?;
        Ok((self.prepare(session).await?, objects))
    }

    fn merges(&self) -> bool {
        self.wanted.mode == Mode::Merge
    }

    /// Oids of the restored tables.
    fn oids(&self) -> Vec<Oid> {
        self.pairs.iter().map(|pair| pair.oid).collect()
    }

    fn follows(&self) -> bool {
        self.wanted.accept_cascade && self.wanted.mode == Mode::Replace
    }

    /// The tables to lock and the numbers of staged rows, found without locks. An outside table whose foreign key is dropped
    /// is locked with the others: otherwise a session that inserts there would hold it while waiting for one of ours.
    async fn prepare(&self, session: &mut Session<'_>) -> Result<(Vec<Locked>, Vec<Counts>), Failure> {
        let mut tables: Vec<Locked> = self.pairs.iter().map(Locked::of).collect();
        let keys = references::of_set(session, &self.oids(), self.follows()).await?;
        let drops = !self.merges() && !replica::of(session).await?.is_allowed;
        let changes = |key: &&Reference| key.from.is_outside() && (drops || (self.follows() && key.acts()));
        tables.extend(keys.iter().filter(changes).map(Locked::referencing));
        let differences = difference::of(session, self.pairs).await?;
        let mut staged = Vec::with_capacity(differences.len());
        for difference in &differences {
            staged.push(self.staged(session, difference).await?);
        }
        Ok((tables, staged))
    }

    /// Finds the difference before the locks are taken. A merge has too little to compare for that to be worthwhile.
    async fn find_early(&self, session: &mut Session<'_>) -> Result<Vec<Option<Early>>, Failure> {
        if self.merges() {
            return Ok(Vec::new());
        }
        let differences = difference::of(session, self.pairs).await?;
        early::find(session, &differences, self.options.lock).await
    }

    /// The rows that a merge keeps are counted without a lock, because it does not change them.
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

    /// Every step between locking and commit.
    async fn exchange(
        &self,
        session: &mut Session<'_>,
        (staged, early): (&[Counts], &[Option<Early>]),
        objects: &[u32],
    ) -> Result<Vec<Counts>, Failure> {
        self.check_fingerprint(session).await?;
        let replica = replica::of(session).await?;
        if replica.is_allowed {
            replica::take(session).await?;
        }
        let differences = difference::of(session, self.pairs).await?;
        let keys = references::of_set(session, &self.oids(), self.follows()).await?;
        let mut counts = staged.to_vec();
        for (at, (difference, counts)) in differences.iter().zip(&mut counts).enumerate() {
            match early.get(at).and_then(Option::as_ref) {
                Some(early) => early.renew(session, difference, counts, &self.place.table("f", at)).await?,
                None => exchange::find(session, difference, counts, self.merges()).await?,
            }
        }
        let touched: Vec<Reference> =
            keys.iter().filter(|key| is_touched(key, &differences, &counts)).cloned().collect();
        let scope = |key: &Reference| scope(key, &differences, &counts);
        let found =
            violations::of_references(session, self.wanted.mode, &touched, &differences, scope).await?;
        let refused = found.iter().filter(|one| !(self.follows() && one.key.follows()));
        self.refuse(refused.map(|one| one.refusal(self.pairs)).collect())?;

        let dropped = touched.iter().filter(|key| self.must_go(key, &differences, &counts));
        let mut dropped: Vec<Reference> = dropped.cloned().collect();
        if self.follows() {
            dropped.extend(keys.iter().filter(|key| key.is_outside()).cloned());
        }
        let tables = self.quiet_tables(&keys);
        let quiet = quiet::begin(session, replica.is_allowed, &tables, dropped).await?;
        exchange::write(session, &differences, &counts).await?;
        if replica.is_allowed {
            self.check_afterwards(session, &touched, &differences).await?;
        }
        let outside =
            if self.follows() { cascade::follow(session, &keys, self.place).await? } else { Vec::new() };
        sequences::raise(session, &self.oids(), &self.wanted.record).await?;
        large::create_staged(session, self.place, objects).await?;
        quiet.end(session).await?;
        let applied = self.applied(&differences, &counts, (outside, objects.to_vec()));
        registry::applied(session, self.id, self.since, &applied).await?;
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

    fn refuse(&self, refusals: Vec<Refusal>) -> Result<(), Failure> {
        if refusals.is_empty() {
            return Ok(());
        }
        Err(Error::Refused { name: self.options.read.source.clone(), refusals }.into())
    }

    /// Checks what the server does not check under the replica role and could not be determined before.
    async fn check_afterwards(
        &self,
        session: &mut Session<'_>,
        keys: &[Reference],
        differences: &[Difference<'_>],
    ) -> Result<(), Failure> {
        let mut refusals = Vec::new();
        for key in keys.iter().filter(|key| violations::is_told_afterwards(key, differences, self.merges())) {
            let rows = violations::count_dangling(session, key).await?;
            if rows > 0 && !(self.follows() && key.follows()) {
                refusals.push(violations::refusal(key, self.pairs, rows));
            }
        }
        refusals.extend(keys::afterwards(session, differences, |pair| &pair.added).await?);
        self.refuse(refusals)
    }

    /// A foreign key that references an outside table checks each new row, and can stay. A key from outside matters only if
    /// rows are deleted.
    fn must_go(&self, key: &Reference, differences: &[Difference<'_>], counts: &[Counts]) -> bool {
        let removed = |root| of(root, differences, counts).is_some_and(|counts| counts.removed > 0);
        !key.to.is_outside() && (!key.from.is_outside() || removed(key.to.root))
    }

    /// The restored tables, and those that change with them.
    fn quiet_tables(&self, keys: &[Reference]) -> Vec<Oid> {
        let mut tables = self.oids();
        if self.follows() {
            tables.extend(references::acting_tables(keys));
        }
        tables.sort_unstable();
        tables.dedup();
        tables
    }

    /// The data that a rollback needs.
    fn applied(
        &self,
        differences: &[Difference<'_>],
        counts: &[Counts],
        (outside, large_objects): (Vec<OutsideTable>, Vec<u32>),
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
                is_changed: counts.is_changed(),
            }
        };
        let tables = differences.iter().zip(counts).map(table).collect();
        Applied { tables, outside, large_objects, ..Applied::new(self.wanted.mode) }
    }
}
