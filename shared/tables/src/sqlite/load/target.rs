//! A database before and after a restore: inspecting it, and its records of restores.

use std::path::Path;
use std::time::{Duration, Instant};

use strongroom_store::DatabaseUrl;

use super::inspect::{self, Looked};
use super::markers::{self, run};
use super::stage::Place;
use super::stage_file::{self, STAGE};
use super::{Connection, SqliteStage, SqliteTarget, close, lock, roll_back};
use crate::error::{Error, Result};
use crate::load::{Inspection, Purpose, RestoreState, RolledBack, TargetOptions, Wanted};

impl SqliteTarget {
    pub(crate) async fn open(url: &DatabaseUrl, path: &Path, options: TargetOptions) -> Result<Self> {
        let connection = Connection::open_writer(url, path, &options.read.source).await?;
        Ok(Self { connection, path: path.to_owned(), options })
    }

    pub(crate) async fn inspect(&mut self, wanted: &Wanted) -> Result<Inspection> {
        Ok(self.look(wanted).await?.inspection)
    }

    /// Inspects the target in one read transaction.
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
            marked: None,
            file: None,
            live: looked.live,
            loaded: vec![0; looked.pairs.len()],
            pairs: looked.pairs,
            place: Place::File { is_done: false },
            started: Instant::now(),
        };
        let begun = stage.begin(&self.path, &looked.inspection.creates).await;
        if let Err(error) = begun {
            stage.give_up(&self.path).await;
            return Err(error);
        }
        Ok(stage)
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

    pub(crate) async fn check_roll_back(
        &mut self,
        restore: &str,
        discard_changes: bool,
        lock: Duration,
    ) -> Result<()> {
        roll_back::check(self, restore, discard_changes, lock).await
    }

    pub(crate) async fn discard(&mut self, restore: &str, only: RestoreState) -> Result<bool> {
        let digits = stage_file::digits(restore);
        discard(&mut self.connection, &self.options, &self.path, (restore, &digits), only).await
    }

    pub(super) async fn attach(&mut self, file: &Path) -> Result<()> {
        stage_file::attach(&mut self.connection, file, &self.options.read.source).await
    }

    pub(super) async fn detach(&mut self) {
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

/// Digits for a file name that no other trial in any process has. The file is unlinked as soon as it is open.
fn trial_digits() -> String {
    stage_file::digits(&uuid::Uuid::now_v7().to_string())
}

/// Discards a restore that is in the state `only`. Returns false, and removes nothing, if its marker has the other
/// state. The file goes first, because it may be what fills the disk, then our objects in the database. A process that
/// swaps the restore in holds the lock until the restore is applied, so the state read here is the swap's outcome.
/// `digits` are those of the restore's id.
pub(super) async fn discard(
    connection: &mut Connection,
    options: &TargetOptions,
    path: &Path,
    (restore, digits): (&str, &str),
    only: RestoreState,
) -> Result<bool> {
    let source = &options.read.source;
    let failed = |error| Error::database(source, "discarding a restore", &error);
    lock::begin(connection, source, options.lock).await?;
    let found = markers::read(connection).await;
    let is_other = found.map(|found| {
        found
            .iter()
            .any(|marker| marker.id == restore && marker.is_applied != (only == RestoreState::Applied))
    });
    let removed = match is_other {
        Ok(true) => Ok(false),
        Ok(false) => match stage_file::discard(&stage_file::path(path, digits), source) {
            Ok(()) => markers::remove(connection, restore, digits).await.map(|()| true).map_err(failed),
            Err(error) => Err(error),
        },
        Err(error) => Err(failed(error)),
    };
    if matches!(removed, Ok(true)) {
        lock::commit(connection, source, options.lock).await?;
    } else {
        lock::roll_back(connection).await;
    }
    removed
}
