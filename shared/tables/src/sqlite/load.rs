//! SQLite: rows are staged in a file of ours beside the database and applied as a row difference in one IMMEDIATE
//! transaction, which readers of a database in WAL mode do not notice. The database file itself is never replaced: processes
//! that have it open would go on with the old one.
//!
//! A table without a key may get other rowids than the archive's rows had, because an archive has none. Rows that stay keep
//! theirs.

mod affinity;
mod cascade;
mod compare;
mod computed;
mod create;
mod difference;
mod empty;
mod encode;
mod fingerprint;
mod foreign_value;
mod insert;
mod inspect;
mod key;
mod live;
mod lock;
mod markers;
mod pair;
mod references;
mod refused;
mod roll_back;
mod room;
mod search;
mod sequences;
mod stage;
mod stage_file;
mod swap;
mod triggers;
mod undo;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use strongroom_store::DatabaseUrl;
use tokio::sync::mpsc;

use super::connection::Connection;
use crate::error::{Error, Result};
use crate::load::{
    Chunk, Comparison, Encoder, Inspection, Mode, Purpose, Refusal, RestoreState, RolledBack, SwapLimits,
    Swapped, TargetOptions, Wanted,
};
use encode::Values;
use inspect::Looked;
use live::Live;
use markers::run;
use pair::Pair;
use stage::Place;
use stage_file::STAGE;

/// An open database that rows are restored into.
pub(crate) struct SqliteTarget {
    connection: Connection,
    path: PathBuf,
    options: TargetOptions,
}

/// A file of ours that is being filled; or, into empty tables, the transaction that fills those.
pub(crate) struct SqliteStage {
    connection: Connection,
    options: TargetOptions,
    wanted: Wanted,
    fingerprint: String,
    /// The restore's id, empty for a trial, and the digits that stand for it.
    restore: String,
    digits: String,
    /// The file of a restore.
    file: Option<PathBuf>,
    live: Live,
    pairs: Vec<Pair>,
    /// Rows of each table.
    loaded: Vec<u64>,
    place: Place,
    started: Instant,
}

impl SqliteTarget {
    pub(crate) async fn open(url: &DatabaseUrl, path: &Path, options: TargetOptions) -> Result<Self> {
        let connection = Connection::open_writer(url, path, &options.read.source).await?;
        Ok(Self { connection, path: path.to_owned(), options })
    }

    pub(crate) async fn inspect(&mut self, wanted: &Wanted) -> Result<Inspection> {
        Ok(self.look(wanted).await?.inspection)
    }

    /// Looks at the target in one read transaction.
    async fn look(&mut self, wanted: &Wanted) -> Result<Looked> {
        run(&mut self.connection, "BEGIN".to_owned()).await.map_err(self.failed("looking at the target"))?;
        let looked = inspect::look(&mut self.connection, &self.path, &self.options.read, wanted).await;
        lock::roll_back(&mut self.connection).await;
        looked
    }

    pub(crate) async fn stage(
        mut self,
        wanted: &Wanted,
        fingerprint: &str,
        purpose: &Purpose,
    ) -> Result<SqliteStage> {
        let looked = self.look(wanted).await?;
        self.check(&looked.inspection, fingerprint)?;
        let restore = match purpose {
            Purpose::Trial => String::new(),
            Purpose::Restore(id) => id.clone(),
        };
        let digits = if restore.is_empty() { trial_digits() } else { stage_file::digits(&restore) };
        let mut stage = SqliteStage {
            connection: self.connection,
            options: self.options,
            wanted: wanted.clone(),
            fingerprint: fingerprint.to_owned(),
            restore,
            digits,
            file: None,
            live: looked.live,
            loaded: vec![0; looked.pairs.len()],
            pairs: looked.pairs,
            place: Place::File { is_done: false },
            started: Instant::now(),
        };
        let begun = stage.begin(&self.path, &looked.inspection.creates).await;
        if begun.is_err() && !stage.restore.is_empty() {
            let (restore, digits) = (stage.restore.clone(), stage.digits.clone());
            lock::roll_back(&mut stage.connection).await;
            run(&mut stage.connection, format!("DETACH DATABASE {STAGE}")).await.ok();
            discard(&mut stage.connection, &stage.options, &self.path, &restore, &digits).await?;
        }
        begun.map(|()| stage)
    }

    fn check(&self, found: &Inspection, fingerprint: &str) -> Result<()> {
        let name = self.options.read.source.clone();
        if found.fingerprint != fingerprint {
            return Err(Error::Stale { name });
        }
        if found.refusals.is_empty() {
            return Ok(());
        }
        Err(Error::Refused { name, refusals: found.refusals.clone() })
    }

    pub(crate) async fn state_of(&mut self, restore: &str) -> Result<Option<RestoreState>> {
        let markers = markers::read(&mut self.connection).await;
        let markers = markers.map_err(self.failed("looking for a restore"))?;
        if let Some(marker) = markers.iter().find(|marker| marker.id == restore) {
            return Ok(Some(if marker.is_applied { RestoreState::Applied } else { RestoreState::Staged }));
        }
        let file = stage_file::path(&self.path, &stage_file::digits(restore));
        Ok(file.exists().then_some(RestoreState::Staged))
    }

    pub(crate) async fn roll_back(
        &mut self,
        restore: &str,
        discard_changes: bool,
        lock: Duration,
    ) -> Result<RolledBack> {
        roll_back::roll_back(self, restore, discard_changes, lock).await
    }

    pub(crate) async fn discard(&mut self, restore: &str) -> Result<()> {
        let digits = stage_file::digits(restore);
        discard(&mut self.connection, &self.options, &self.path, restore, &digits).await
    }

    async fn attach(&mut self, file: &Path) -> Result<()> {
        stage_file::attach(&mut self.connection, file, &self.options.read.source).await
    }

    async fn detach(&mut self) {
        run(&mut self.connection, format!("DETACH DATABASE {STAGE}")).await.ok();
    }

    fn failed(&self, what: &'static str) -> impl Fn(sqlx::Error) -> Error + use<> {
        let source = self.options.read.source.clone();
        move |error| Error::database(&source, what, &error)
    }

    pub(crate) async fn close(self) {
        close(self.connection, &self.options.read.source).await;
    }
}

impl SqliteStage {
    /// Marks the restore, and makes the place for its rows.
    async fn begin(&mut self, path: &Path, creates: &[String]) -> Result<()> {
        let source = self.options.read.source.clone();
        let failed = |error| Error::database(&source, "beginning to stage", &error);
        if !self.restore.is_empty() {
            lock::begin(&mut self.connection, &source, self.options.lock).await?;
            markers::stage(&mut self.connection, &self.restore, self.wanted.mode).await.map_err(failed)?;
            lock::commit(&mut self.connection, &source, self.options.lock).await?;
            if self.wanted.mode == Mode::IntoEmpty {
                return self.begin_live(path, creates).await;
            }
        }
        let file = stage_file::path(path, &self.digits);
        let is_trial = self.restore.is_empty();
        stage_file::create(&mut self.connection, &file, is_trial, &source).await?;
        self.file = (!is_trial).then_some(file);
        stage::tables(&mut self.connection, &self.pairs).await.map_err(failed)
    }

    /// Begins the transaction that fills the empty tables, and looks again: nobody can change them any more.
    async fn begin_live(&mut self, path: &Path, creates: &[String]) -> Result<()> {
        let source = self.options.read.source.clone();
        let failed = |error| Error::database(&source, "beginning to load", &error);
        lock::begin(&mut self.connection, &source, self.options.lock).await?;
        let since = Instant::now();
        let read = &self.options.read;
        let looked = inspect::look(&mut self.connection, path, read, &self.wanted).await?;
        if looked.inspection.fingerprint != self.fingerprint {
            return Err(Error::Stale { name: source });
        }
        let filled = looked.inspection.refusals.into_iter();
        let filled: Vec<Refusal> =
            filled.filter(|refusal| matches!(refusal, Refusal::NotEmpty { .. })).collect();
        if !filled.is_empty() {
            return Err(Error::Refused { name: source, refusals: filled });
        }
        let later = empty::prepare(&mut self.connection, &self.wanted, creates).await.map_err(failed)?;
        let live = live::read(&mut self.connection, read).await.map_err(failed)?;
        let tables = self.wanted.tables.iter().enumerate();
        let pairs = tables.filter_map(|(at, table)| {
            let found = live.table(&table.schema.table)?;
            Some(Pair::new(at, &table.schema, found).0)
        });
        self.pairs = pairs.collect();
        if self.pairs.len() != self.wanted.tables.len() {
            return Err(Error::Stale { name: source });
        }
        empty::clear(&mut self.connection, &self.pairs).await.map_err(failed)?;
        self.place = Place::Live { since, later: Some(later) };
        Ok(())
    }

    pub(crate) fn encoder(&self, table: usize) -> Encoder {
        let archive = &self.wanted.tables[table].schema;
        Encoder::new(Box::new(Values::new(archive, &self.pairs[table], self.live.is_utf16)))
    }

    pub(crate) async fn load(&mut self, table: usize, chunks: mpsc::Receiver<Chunk>) -> Result<u64> {
        self.load_rows(table, chunks).await
    }

    pub(crate) fn no_large_object(&self, oid: u32) -> Error {
        Error::missing(&self.options.read.source, format!("large object {oid}"))
    }

    pub(crate) async fn compare(&mut self) -> Result<Comparison> {
        self.compare_rows().await
    }

    pub(crate) async fn keep(&mut self) -> Result<()> {
        self.keep_rows().await
    }

    pub(crate) async fn swap(mut self, limits: &SwapLimits) -> Result<Swapped> {
        let swapped = self.swap_rows(limits).await;
        self.close().await;
        swapped
    }

    /// Looks whether the target is still the one that was planned with.
    async fn look_again(&mut self) -> Result<Live> {
        let source = self.options.read.source.clone();
        let failed = |error| Error::database(&source, "looking at the target", &error);
        let live = live::read(&mut self.connection, &self.options.read).await.map_err(failed)?;
        let now = fingerprint::of(&mut self.connection, &live, &self.wanted).await.map_err(failed)?;
        if now == self.fingerprint { Ok(live) } else { Err(Error::Stale { name: source }) }
    }

    pub(crate) async fn close(self) {
        close(self.connection, &self.options.read.source).await;
    }
}

/// A name that no other trial has at this moment; it is gone as soon as the file is open.
fn trial_digits() -> String {
    static TRIALS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = TRIALS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    stage_file::digits(&format!("trial {} {number}", std::process::id()))
}

/// Removes the file, which may be what fills the disk, then what is ours in the database.
async fn discard(
    connection: &mut Connection,
    options: &TargetOptions,
    path: &Path,
    restore: &str,
    digits: &str,
) -> Result<()> {
    let source = &options.read.source;
    stage_file::discard(&stage_file::path(path, digits), source)?;
    lock::begin(connection, source, options.lock).await?;
    if let Err(error) = markers::remove(connection, restore, digits).await {
        lock::roll_back(connection).await;
        return Err(Error::database(source, "discarding a restore", &error));
    }
    lock::commit(connection, source, options.lock).await
}

async fn close(connection: Connection, source: &str) {
    if let Err(error) = connection.close().await {
        tracing::warn!(source, %error, "cannot close a SQLite target cleanly");
    }
}
