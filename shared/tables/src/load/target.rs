//! A database into which rows are restored.

use std::time::Duration;

use strongroom_store::{DatabaseUrl, Engine};

use super::stage::Inner as StageInner;
use super::{Inspection, Purpose, Stage, TableChanges, Wanted};
use crate::error::Result;
use crate::options::SnapshotOptions;
use crate::postgres::load::PostgresTarget;
use crate::sqlite::load::SqliteTarget;
use crate::{postgres, sqlite};

/// What a restore knows about its target apart from the archive.
#[derive(Debug, Clone)]
pub struct TargetOptions {
    /// How the source is read: its name, schemas, exclusions and migrations table.
    pub read: SnapshotOptions,
    /// How long reading the catalogue may wait for a lock.
    pub lock: Duration,
}

impl TargetOptions {
    /// Options with `read` and a lock timeout of 5 s.
    #[must_use]
    pub fn new(read: SnapshotOptions) -> Self {
        Self { read, lock: Duration::from_secs(5) }
    }
}

/// Identifies the database behind a URL, as in [`Inspection::place`].
///
/// # Errors
/// As for [`crate::open_snapshot`].
pub async fn place_of(url: &DatabaseUrl, options: &TargetOptions) -> Result<String> {
    match url.engine() {
        Engine::Sqlite(path) => Ok(sqlite::load::place_of(path)),
        Engine::Postgres(connect) => postgres::load::place_of(url, connect, options).await,
    }
}

/// A database whose tables this user owns, on a separate connection. It does not need a superuser.
pub struct Target(Inner);

enum Inner {
    Sqlite(Box<SqliteTarget>),
    Postgres(Box<PostgresTarget>),
}

/// State of a restore according to the target's own marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreState {
    /// Rows were being staged, or still are. Nothing live has changed.
    Staged,
    /// It was applied, and can be rolled back until it is discarded.
    Applied,
}

/// The result of a rollback.
#[derive(Debug, Clone, Default)]
pub struct RolledBack {
    /// Each table by archive name, with its changes: `created` counts rows that came back.
    pub tables: Vec<(String, TableChanges)>,
}

impl Target {
    /// Connects.
    ///
    /// # Errors
    /// As for [`crate::open_snapshot`].
    pub async fn open(url: &DatabaseUrl, options: TargetOptions) -> Result<Self> {
        let inner = match url.engine() {
            Engine::Sqlite(path) => Inner::Sqlite(Box::new(SqliteTarget::open(url, path, options).await?)),
            Engine::Postgres(connect) => {
                Inner::Postgres(Box::new(PostgresTarget::open(url, connect, options).await?))
            }
        };
        Ok(Self(inner))
    }

    /// Inspects the target without writing anything.
    ///
    /// # Errors
    /// A database error. Reasons against the restore are not errors: see [`Inspection::refusals`].
    pub async fn inspect(&mut self, wanted: &Wanted) -> Result<Inspection> {
        match &mut self.0 {
            Inner::Sqlite(target) => target.inspect(wanted).await,
            Inner::Postgres(target) => target.inspect(wanted).await,
        }
    }

    /// Begins to stage. The target is inspected again: `fingerprint` is that of the inspection used for the plan.
    ///
    /// # Errors
    /// [`crate::Error::Stale`] if the target has changed, [`crate::Error::Refused`] if there is a reason against the restore,
    /// or a database error.
    pub async fn stage(self, wanted: &Wanted, fingerprint: &str, purpose: &Purpose) -> Result<Stage> {
        let inner = match self.0 {
            Inner::Sqlite(target) => {
                StageInner::Sqlite(Box::new(target.stage(wanted, fingerprint, purpose).await?))
            }
            Inner::Postgres(target) => {
                StageInner::Postgres(Box::new(target.stage(wanted, fingerprint, purpose).await?))
            }
        };
        Ok(Stage(inner))
    }

    /// State of a restore in the target; `None` if the target has no trace of it.
    ///
    /// # Errors
    /// A database error.
    pub async fn state_of(&mut self, restore: &str) -> Result<Option<RestoreState>> {
        match &mut self.0 {
            Inner::Sqlite(target) => target.state_of(restore).await,
            Inner::Postgres(target) => target.state_of(restore).await,
        }
    }

    /// Rolls back an applied restore and discards it, in one transaction. `discard_changes` also undoes changes made since
    /// the restore.
    ///
    /// # Errors
    /// [`crate::Error::NotApplied`], [`crate::Error::Superseded`] by a newer restore of the same tables,
    /// [`crate::Error::ChangedSince`], [`crate::Error::NothingKept`] for rows of [`super::Mode::IntoEmpty`] unless changes
    /// are discarded (the tables are empty then), [`crate::Error::Locked`], [`crate::Error::Refused`] if rows outside the
    /// restored tables reference rows that would be removed, or a database error.
    pub async fn roll_back(
        &mut self,
        restore: &str,
        discard_changes: bool,
        lock: Duration,
    ) -> Result<RolledBack> {
        match &mut self.0 {
            Inner::Sqlite(target) => target.roll_back(restore, discard_changes, lock).await,
            Inner::Postgres(target) => target.roll_back(restore, discard_changes, lock).await,
        }
    }

    /// Checks whether [`Self::roll_back`] would succeed now, without changing anything: it does the same, under the same
    /// locks, in a transaction that is rolled back. So it takes as long.
    ///
    /// # Errors
    /// Those of [`Self::roll_back`], except errors of COMMIT.
    pub async fn check_roll_back(
        &mut self,
        restore: &str,
        discard_changes: bool,
        lock: Duration,
    ) -> Result<()> {
        match &mut self.0 {
            Inner::Sqlite(target) => target.check_roll_back(restore, discard_changes, lock).await,
            Inner::Postgres(target) => target.check_roll_back(restore, discard_changes, lock).await,
        }
    }

    /// Ends any session that is still in a transaction of the restore, such as one of a suspended process: afterwards
    /// [`Self::state_of`] is final. In SQLite such a process holds the file's lock, and nothing can end it.
    ///
    /// # Errors
    /// [`crate::Error::Locked`] for a session that does not end, or a database error.
    pub async fn end_sessions(&mut self, restore: &str) -> Result<()> {
        match &mut self.0 {
            Inner::Sqlite(_) => Ok(()),
            Inner::Postgres(target) => target.end_sessions(restore).await,
        }
    }

    /// Removes everything of ours that belongs to a restore: stage, undo and marker, and with the last restore also their
    /// schema. Live tables stay unchanged. Returns false, and removes nothing, if the restore's marker is no longer `only`:
    /// another process has swapped it in, or is doing so. Repeating the call is harmless.
    ///
    /// # Errors
    /// A database error.
    pub async fn discard(&mut self, restore: &str, only: RestoreState) -> Result<bool> {
        match &mut self.0 {
            Inner::Sqlite(target) => target.discard(restore, only).await,
            Inner::Postgres(target) => target.discard(restore, only).await,
        }
    }

    /// Waits until the connection is closed.
    pub async fn close(self) {
        match self.0 {
            Inner::Sqlite(target) => target.close().await,
            Inner::Postgres(target) => target.close().await,
        }
    }
}
