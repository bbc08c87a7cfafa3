//! Re-encryption: values move to the primary versions while reads and writes continue.
//!
//! A run is a row in the database. One process at a time holds its lease and walks the columns in batches. A value is
//! replaced only if it is unchanged since it was read, so no write is lost and a crash costs one batch at most. Passes
//! repeat until no value is left, or until a pass finds none that opens.

mod pace;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_stream::try_stream;
use strongroom_crypto::KeyRing;
use strongroom_runtime::{Caller, Clock, telemetry};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_stream::Stream;
use tracing::Instrument as _;
use uuid::Uuid;

use super::Ring;
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::metrics::ReencryptMetrics;
use crate::store::columns::{SEALED, SealedColumn};
use crate::store::{JobState, Lease, Outcome, ReencryptJobRow, Resealed, SealedRow, Store};
use pace::Pace;

/// Time after which another process can take over the run of a silent process, in microseconds.
const LEASE: i64 = 5_000_000;
/// Interval between look-ups of the progress for a joined caller, and look-ups between two messages.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS_PER_MESSAGE: u32 = 10;

/// Starts, follows and carries out re-encryption runs.
pub(crate) struct Reencryption {
    store: Arc<dyn Store>,
    ring: Arc<Ring>,
    clock: Arc<dyn Clock>,
    /// Id of this process in leases.
    instance: String,
    started: Notify,
    stopping: AtomicBool,
    metrics: ReencryptMetrics,
}

/// The progress of a run.
pub(crate) struct Progress {
    pub(crate) rows_done: i64,
    pub(crate) rows_left: i64,
    pub(crate) done: bool,
}

/// Rows not yet sealed by the primary version, by key.
type Left = BTreeMap<&'static str, i64>;

/// Re-sealed values, and the row after which the next batch begins.
struct Batch {
    last: Option<String>,
    rows: Vec<Resealed>,
}

impl Reencryption {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        ring: Arc<Ring>,
        clock: Arc<dyn Clock>,
        metrics: ReencryptMetrics,
    ) -> Self {
        let instance = Uuid::now_v7().to_string();
        let (started, stopping) = (Notify::new(), AtomicBool::new(false));
        Self { store, ring, clock, instance, started, stopping, metrics }
    }

    /// Waits until this process is asked to work on a run.
    pub(crate) async fn started(&self) {
        self.started.notified().await;
    }

    /// Ends the streams of joined callers; the run continues in another process or later.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Starts a run or joins the running one; the stream reports its progress.
    pub(crate) async fn start(
        self: &Arc<Self>,
        caller: &Caller,
        rows_per_second: i64,
    ) -> Result<impl Stream<Item = Result<Progress>> + Send + use<>> {
        let now = self.now();
        let job = ReencryptJobRow {
            id: Uuid::now_v7().to_string(),
            state: JobState::Running,
            rows_per_second,
            rows_done: 0,
            rows_left: self.count_left().await?.values().sum(),
            start_time: now,
            end_time: None,
            lease_owner: String::new(),
            lease_until: 0,
        };
        let event = Event::by(caller, self.now(), "key.reencrypt_started", &job.id)
            .with("rows_left", job.rows_left)
            .with("rows_per_second", rows_per_second)
            .finish();
        let job = self.store.start_reencrypt(&job, &event).await?;
        self.started.notify_one();
        Ok(Arc::clone(self).follow(job.id))
    }

    fn follow(self: Arc<Self>, id: String) -> impl Stream<Item = Result<Progress>> + Send + use<> {
        try_stream! {
            let mut looks: u32 = 0;
            loop {
                let found = self.store.reencrypt_job(&id).await?;
                let job = found.ok_or_else(|| Error::Inconsistent(format!("reencrypt_jobs has no {id}")))?;
                let done = job.state == JobState::Done;
                if done || looks.is_multiple_of(LOOKS_PER_MESSAGE) {
                    yield Progress { rows_done: job.rows_done, rows_left: job.rows_left, done };
                }
                if done {
                    return;
                }
                if self.stopping.load(Ordering::Relaxed) {
                    Err(Error::Stopping)?;
                }
                looks += 1;
                sleep(LOOK).await;
            }
        }
    }

    /// Works on the current run until it is done, if there is one and no other process works on it.
    pub(crate) async fn work(&self) -> Result<()> {
        let Some(job) = self.store.running_reencrypt().await? else { return Ok(()) };
        let ours = job.lease_owner == self.instance;
        if !ours && job.lease_until > self.now() {
            return Ok(());
        }
        self.ring.reload().await?;
        let left = self.left_of(&job).await?;
        if !self.store.lease_reencrypt(&self.lease(&job), left.values().sum(), self.now()).await? {
            return Ok(());
        }
        self.metrics.set_left(&left);
        let ended = self.run(&job).await;
        self.metrics.none_left();
        ended
    }

    /// Counting reads whole tables. A fresh run was just counted: its row has the sum, which is enough if there is only
    /// one key.
    async fn left_of(&self, job: &ReencryptJobRow) -> Result<Left> {
        let fresh = job.lease_owner.is_empty();
        let key = SEALED[0].key_id;
        if fresh && SEALED.iter().all(|column| column.key_id == key) {
            return Ok(Left::from([(key, job.rows_left)]));
        }
        self.count_left().await
    }

    /// Repeats passes until nothing is left or the lease is lost.
    async fn run(&self, job: &ReencryptJobRow) -> Result<()> {
        // A newly created version only seals once every process knows it.
        while self.store.recode_rows().await?.is_none() {
            sleep(LOOK).await;
            if !self.store.lease_reencrypt(&self.lease(job), job.rows_left, self.now()).await? {
                return Ok(());
            }
        }
        let mut pace = Pace::new(job.rows_per_second);
        loop {
            let mut met = 0;
            for column in SEALED {
                match self.reencrypt_column(job, column, &mut pace).await? {
                    Some(rows) => met += rows,
                    None => return Ok(()),
                }
            }
            self.ring.reload().await?;
            let left = self.count_left().await?;
            self.metrics.set_left(&left);
            let rows_left = left.values().sum();
            if met == 0 || rows_left == 0 {
                return self.finish(job, rows_left).await;
            }
        }
    }

    /// Gives up this process's lease, so the next process need not wait for it to expire.
    pub(crate) async fn release(&self) -> Result<()> {
        let Some(job) = self.store.running_reencrypt().await? else { return Ok(()) };
        Ok(self.store.release_reencrypt(&job.id, &self.instance).await?)
    }

    /// One pass: the number of values that it found and could open, or `None` if the lease is lost. While one batch is
    /// written, the next one is read and sealed.
    async fn reencrypt_column(
        &self,
        job: &ReencryptJobRow,
        column: &'static SealedColumn,
        pace: &mut Pace,
    ) -> Result<Option<usize>> {
        let mut met = 0;
        let mut batch = self.next_batch(column, String::new(), pace.batch()).await?;
        while let Some(last) = batch.last.take() {
            met += batch.rows.len();
            let lease = self.lease(job);
            let both = async {
                tokio::try_join!(
                    async { Ok(self.store.write_resealed(&lease, column, &batch.rows).await?) },
                    self.next_batch(column, last, pace.batch()),
                )
            };
            let (written, next) = both.instrument(telemetry::job("re-encrypt batch")).await?;
            let Some(written) = written else { return Ok(None) };
            self.metrics.resealed(column.key_id, written);
            pace.wait(written).await;
            batch = next;
        }
        Ok(Some(met))
    }

    async fn next_batch(&self, column: &'static SealedColumn, after: String, limit: i64) -> Result<Batch> {
        let ring = self.ring.current();
        let kid = ring.primary(column.key_id)?.kid().to_string();
        let rows = self.store.sealed_by_others(column, &kid, &after, limit).await?;
        let sealing = tokio::task::spawn_blocking(move || reseal(&ring, column, rows));
        sealing.await.map_err(|error| Error::Inconsistent(format!("sealing values ended early: {error}")))
    }

    async fn finish(&self, job: &ReencryptJobRow, rows_left: i64) -> Result<()> {
        let current = self.store.reencrypt_job(&job.id).await?;
        let rows_done = current.map_or(0, |job| job.rows_done);
        let outcome = if rows_left == 0 { Outcome::Success } else { Outcome::Failed };
        let event = Event::by_system(self.now(), "key.reencrypted", &job.id)
            .outcome(outcome)
            .with("rows_done", rows_done)
            .with("rows_left", rows_left)
            .finish();
        self.store.finish_reencrypt(&self.lease(job), rows_left, self.now(), &event).await?;
        Ok(())
    }

    async fn count_left(&self) -> Result<Left> {
        let ring = self.ring.current();
        let mut by_key = Left::new();
        for column in SEALED {
            let kid = ring.primary(column.key_id)?.kid().to_string();
            *by_key.entry(column.key_id).or_insert(0) +=
                self.store.count_sealed_by_others(column, &kid).await?;
        }
        Ok(by_key)
    }

    fn lease(&self, job: &ReencryptJobRow) -> Lease {
        let (job_id, owner) = (job.id.clone(), self.instance.clone());
        Lease { job_id, owner, until: self.now() + LEASE }
    }

    fn now(&self) -> i64 {
        self.clock.now_micros()
    }
}

/// Opens and re-seals each value. A value that does not open is left as it is, and is counted as left at the end.
fn reseal(ring: &KeyRing, column: &SealedColumn, rows: Vec<SealedRow>) -> Batch {
    let last = rows.last().map(|row| row.id.clone());
    let mut resealed = Vec::with_capacity(rows.len());
    for row in rows {
        let cell = column.cell(&row.id);
        let opened = ring.open_value(column.purpose, &cell, &row.secret);
        match opened.and_then(|value| ring.seal(column.key_id, &cell, value.expose())) {
            Ok(new) => resealed.push(Resealed { id: row.id, old: row.secret, new }),
            Err(error) => {
                tracing::warn!(table = column.table, row = %row.id, %error, "a value was not re-encrypted");
            }
        }
    }
    Batch { last, rows: resealed }
}
