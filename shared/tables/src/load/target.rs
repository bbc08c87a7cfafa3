//! A database that rows are restored into.

use std::time::Duration;

use strongroom_store::{DatabaseUrl, Engine};

use super::stage::Inner as StageInner;
use super::{Inspection, Purpose, Stage, TableChanges, Wanted};
use crate::error::Result;
use crate::options::SnapshotOptions;
use crate::postgres::load::PostgresTarget;
use crate::sqlite::load::SqliteTarget;
use crate::{postgres, sqlite};

/// What a restore knows of its target beside the archive.
#[derive(Debug, Clone)]
pub struct TargetOptions {
    /// How the source is read: its name, schemas, what is excluded, its migrations table.
    pub read: SnapshotOptions,
    /// How long a look at the catalogue may wait for a lock.
    pub lock: Duration,
}

impl TargetOptions {
    /// As `read`, with 5 s for locks.
    #[must_use]
    pub fn new(read: SnapshotOptions) -> Self {
        Self { read, lock: Duration::from_secs(5) }
    }
}

/// Which database is behind a URL: as [`Inspection::place`].
///
/// # Errors
/// As [`crate::open_snapshot`].
pub async fn place_of(url: &DatabaseUrl, options: &TargetOptions) -> Result<String> {
    match url.engine() {
        Engine::Sqlite(path) => Ok(sqlite::load::place_of(path)),
        Engine::Postgres(connect) => postgres::load::place_of(url, connect, options).await,
    }
}

/// A database of which this user owns the tables, on a connection of its own. A superuser is neither needed nor asked for.
pub struct Target(Inner);

enum Inner {
    Sqlite(Box<SqliteTarget>),
    Postgres(Box<PostgresTarget>),
}

/// What a target's own marker says of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreState {
    /// Rows were being staged, or are. Nothing live has changed.
    Staged,
    /// It was applied, and can be rolled back until it is discarded.
    Applied,
}

/// What rolling back has done.
#[derive(Debug, Clone, Default)]
pub struct RolledBack {
    /// Each table by archive name, with what changed: `created` are rows that came back.
    pub tables: Vec<(String, TableChanges)>,
}

impl Target {
    /// Connects.
    ///
    /// # Errors
    /// As [`crate::open_snapshot`].
    pub async fn open(url: &DatabaseUrl, options: TargetOptions) -> Result<Self> {
        let inner = match url.engine() {
            Engine::Sqlite(path) => Inner::Sqlite(Box::new(SqliteTarget::open(url, path, options).await?)),
            Engine::Postgres(connect) => {
                Inner::Postgres(Box::new(PostgresTarget::open(url, connect, options).await?))
            }
        };
        Ok(Self(inner))
    }

    /// Looks at the target without writing anything.
    ///
    /// # Errors
    /// The database's. What stands against the restore is no error: [`Inspection::refusals`].
    pub async fn inspect(&mut self, wanted: &Wanted) -> Result<Inspection> {
        match &mut self.0 {
            Inner::Sqlite(target) => target.inspect(wanted).await,
            Inner::Postgres(target) => target.inspect(wanted).await,
        }
    }

    /// Begins to stage. The target is looked at again: `fingerprint` is that of the inspection that was planned with.
    ///
    /// # Errors
    /// [`crate::Error::Stale`] where the target is another one now, [`crate::Error::Refused`] where something stands against
    /// it, and the database's.
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

    /// What the target knows of a restore; `None` when it has nothing of it.
    ///
    /// # Errors
    /// The database's.
    pub async fn state_of(&mut self, restore: &str) -> Result<Option<RestoreState>> {
        match &mut self.0 {
            Inner::Sqlite(target) => target.state_of(restore).await,
            Inner::Postgres(target) => target.state_of(restore).await,
        }
    }

    /// Takes an applied restore back, in one transaction, and discards it in the same. `discard_changes` also takes back what
    /// was changed since.
    ///
    /// # Errors
    /// [`crate::Error::NotApplied`], [`crate::Error::Superseded`] by a newer restore of the same tables,
    /// [`crate::Error::ChangedSince`], [`crate::Error::NothingKept`] for rows of [`super::Mode::IntoEmpty`] unless changes are
    /// discarded (the tables are empty then), [`crate::Error::Locked`], [`crate::Error::Refused`] where rows outside reference
    /// what would go, and the database's.
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

    /// Finds out whether [`Self::roll_back`] would succeed now, and changes nothing: it does the same, under the same locks, in a
    /// transaction that is rolled back. So it takes as long.
    ///
    /// # Errors
    /// Those of [`Self::roll_back`], but for those of a COMMIT.
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

    /// Makes sure that nobody is in the middle of a transaction of the restore any more, as a process may be that was suspended:
    /// afterwards [`Self::state_of`] is final. In SQLite such a process holds the file's lock, and nobody can end it.
    ///
    /// # Errors
    /// [`crate::Error::Locked`] for a session that does not end, and the database's.
    pub async fn end_sessions(&mut self, restore: &str) -> Result<()> {
        match &mut self.0 {
            Inner::Sqlite(_) => Ok(()),
            Inner::Postgres(target) => target.end_sessions(restore).await,
        }
    }

    /// Removes everything of ours that belongs to a restore: stage, undo and marker, and with the last restore the place for
    /// them. Live tables stay as they are. False, and nothing is removed, if its marker is not `only` any more: somebody else
    /// has swapped it in, or still does. Doing it twice is harmless.
    ///
    /// # Errors
    /// The database's.
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
