//! One source being restored, whatever its kind: compared, staged, swapped, rolled back.
//!
//! Each kind stores the state of a restore itself (its [`Marker`]), because it cannot commit together with the
//! service's own database: [`database`] in a row that is committed with the restored rows, [`files`] in a file that is
//! written before the first rename and after the last one. [`service`] asks the source's own service, which stores it.

mod database;
mod files;
mod place;
mod service;

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::backup::v1 as proto;
use strongroom_tables::load::{RestoreState, Stage, TableChanges};

use super::Base;
use super::loading::Shared;
use super::record::Request;
use super::resealing::Resealing;
use super::selection::{Contents, Selected};
use crate::error::{Error, RestoreError, Result};
use crate::incoming::Archive;
use crate::sources::{FilesMarker, FilesSource, ServiceSource, Source, SqlSource};
pub(super) use place::Place;
pub(super) use service::{audit_head, mode as mode_of_source};

/// A source's own state of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// Nothing live has changed.
    Staged,
    /// Some files are switched and others not; only possible for a set of files.
    Swapping,
    /// It is swapped, and can be rolled back.
    Applied,
}

/// The plan of one source.
pub(super) struct Compared {
    pub(super) plan: proto::SourcePlan,
    pub(super) refusals: Vec<proto::RestoreRefusal>,
    /// Fingerprint of the schema or the directory.
    pub(super) fingerprint: String,
    pub(super) place: Place,
}

/// A durable stage that can be swapped.
pub(super) enum Ready {
    /// Its connection holds the data that a swap needs.
    Database(Box<Stage>),
    /// Found by the restore's id.
    Kept,
}

/// The changes of a swap.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Changed {
    pub(super) created: u64,
    pub(super) changed: u64,
    pub(super) deleted: u64,
    /// How long writers had to wait.
    pub(super) paused: Duration,
}

/// A configured source, as the target of a restore.
pub(super) enum Target<'a> {
    Database(&'a SqlSource),
    Files(&'a FilesSource),
    Service(&'a ServiceSource),
}

/// The fingerprint from the plan.
fn fingerprint<'a>(selected: &Selected, request: &'a Request) -> &'a str {
    request.fingerprints.get(selected.source()).map_or("", String::as_str)
}

impl<'a> Target<'a> {
    /// # Errors
    /// [`RestoreError::SourceGone`] for a source that is no longer configured.
    pub(super) fn of(base: &'a Base, source: &str) -> Result<Self> {
        let found = base.sources.all().iter().find(|other| other.name() == source);
        match found {
            Some(Source::Sql(database)) => Ok(Self::Database(database)),
            Some(Source::Files(files)) => Ok(Self::Files(files)),
            Some(Source::Service(service)) => Ok(Self::Service(service)),
            None => Err(RestoreError::SourceGone(source.to_owned()).into()),
        }
    }

    /// Compares the archive with the live data; leaves no traces.
    ///
    /// # Errors
    /// Errors of the source and the archive. Refusals of the restore are not errors.
    pub(super) async fn compare(
        &self,
        archive: Archive,
        (selected, request): (&Selected, &Request),
        progress: &Shared,
    ) -> Result<Compared> {
        match (self, &selected.contents) {
            (Self::Database(source), Contents::Database { wanted, .. }) => {
                database::compare(source, archive, (selected, wanted), progress).await
            }
            (Self::Files(source), Contents::Files(wanted)) => files::compare(source, selected, wanted).await,
            (Self::Service(source), Contents::Service(tables)) => {
                service::compare(source, archive, (selected, tables, request), progress).await
            }
            _ => Err(unfitting(selected)),
        }
    }

    /// Whether leftovers may exist although the source knows nothing of the restore: a process died while it created
    /// the folder in a set of files, or while it sent rows to a service.
    pub(super) fn may_have_remains(&self) -> bool {
        matches!(self, Self::Files(_) | Self::Service(_))
    }

    /// Checks that the schema of a database has not changed since the restore was planned. This precedes the safety
    /// backup, which may take hours. Staging checks every source again.
    ///
    /// # Errors
    /// Errors of the source.
    pub(super) async fn check(&self, selected: &Selected, request: &Request) -> Result<()> {
        match (self, &selected.contents) {
            (Self::Database(source), Contents::Database { wanted, .. }) => {
                database::check(source, wanted, fingerprint(selected, request)).await
            }
            _ => Ok(()),
        }
    }

    /// Stages everything beside the live data under the restore's `id`; the stage survives a crash.
    ///
    /// # Errors
    /// Errors of the source and the archive, and an error if the source has changed since the restore was planned.
    pub(super) async fn stage(
        &self,
        archive: Archive,
        (selected, request, resealing): (&Selected, &Request, Option<&Arc<Resealing>>),
        (id, progress): (&str, &Shared),
    ) -> Result<Ready> {
        let fingerprint = fingerprint(selected, request);
        match (self, &selected.contents) {
            (Self::Database(source), Contents::Database { wanted, .. }) => {
                let what = (selected, &**wanted, resealing);
                let stage = database::stage(source, archive, what, (id, fingerprint, progress));
                Ok(Ready::Database(Box::new(stage.await?)))
            }
            (Self::Files(source), Contents::Files(wanted)) => {
                files::stage(source, archive, (selected, wanted), (id, fingerprint, progress)).await?;
                Ok(Ready::Kept)
            }
            (Self::Service(source), Contents::Service(tables)) => {
                let what = (selected, tables.as_slice(), request);
                service::stage(source, archive, (what, resealing), (id, fingerprint, progress)).await?;
                Ok(Ready::Kept)
            }
            _ => Err(unfitting(selected)),
        }
    }

    /// Makes a stage live. `most`: how long writers of a database may wait.
    ///
    /// # Errors
    /// Errors of the source. Its marker says whether it was swapped nevertheless.
    pub(super) async fn swap(&self, ready: Ready, id: &str, most: Option<Duration>) -> Result<Changed> {
        match (self, ready) {
            (Self::Database(_), Ready::Database(stage)) => database::swap(*stage, most).await,
            (Self::Files(source), _) => files::swap(source, id).await,
            (Self::Service(source), _) => service::swap(source, id).await,
            (Self::Database(_), Ready::Kept) => {
                Err(Error::Defect("the stage of a database is not swapped without its connection".into()))
            }
        }
    }

    /// The state of a restore.
    ///
    /// # Errors
    /// Errors of the source.
    pub(super) async fn marker(&self, id: &str) -> Result<Option<Marker>> {
        match self {
            Self::Database(source) => database::marker(source, id).await,
            Self::Files(source) => files::marker(source, id).await,
            Self::Service(source) => service::marker(source, id).await,
        }
    }

    /// The same after ending all work on it: a process that was suspended may still hold a transaction.
    ///
    /// # Errors
    /// Errors of the source.
    pub(super) async fn final_marker(&self, id: &str) -> Result<Option<Marker>> {
        match self {
            Self::Database(source) => database::final_marker(source, id).await,
            Self::Files(source) => files::final_marker(source, id).await,
            Self::Service(_) => self.marker(id).await,
        }
    }

    /// Removes the leftovers of a restore if its marker is `only`; false if the marker is another one by now.
    ///
    /// # Errors
    /// Errors of the source.
    pub(super) async fn discard(&self, (id, request): (&str, &Request), only: Marker) -> Result<bool> {
        match self {
            Self::Database(source) => database::discard(source, id, only).await,
            Self::Files(source) => files::discard(source, id, only).await,
            Self::Service(source) => service::discard(source, (id, request), only).await,
        }
    }

    /// Fails if [`Self::roll_back`] would fail now, and changes nothing. A service cannot be checked.
    ///
    /// # Errors
    /// Those of [`Self::roll_back`].
    pub(super) async fn check_roll_back(&self, id: &str, discard_changes: bool) -> Result<()> {
        match self {
            Self::Database(source) => database::check_roll_back(source, id, discard_changes).await,
            Self::Files(source) => files::check_roll_back(source, id, discard_changes).await,
            Self::Service(_) => Ok(()),
        }
    }

    /// Rolls a restore back and removes its leftovers; returns the number of rows or files.
    ///
    /// # Errors
    /// Errors of the source, including changes since the restore, unless they are discarded.
    pub(super) async fn roll_back(
        &self,
        (id, request): (&str, &Request),
        discard_changes: bool,
    ) -> Result<u64> {
        match self {
            Self::Database(source) => database::roll_back(source, id, discard_changes).await,
            Self::Files(source) => files::roll_back(source, id, discard_changes).await,
            Self::Service(source) => service::roll_back(source, (id, request), discard_changes).await,
        }
    }
}

impl From<RestoreState> for Marker {
    fn from(state: RestoreState) -> Self {
        match state {
            RestoreState::Staged => Self::Staged,
            RestoreState::Applied => Self::Applied,
        }
    }
}

impl From<FilesMarker> for Marker {
    fn from(marker: FilesMarker) -> Self {
        match marker {
            FilesMarker::Staged => Self::Staged,
            FilesMarker::Swapping => Self::Swapping,
            FilesMarker::Applied => Self::Applied,
        }
    }
}

impl Changed {
    fn add(&mut self, changes: &TableChanges) {
        self.created += changes.created;
        self.changed += changes.changed;
        self.deleted += changes.deleted;
    }
}

fn unfitting(selected: &Selected) -> Error {
    Error::Defect(format!("source {} is of another kind than what was selected for it", selected.source()))
}
