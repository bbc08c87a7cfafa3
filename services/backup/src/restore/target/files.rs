//! A set of files being restored: the work of [`crate::sources`] in a directory, in blocking threads.

use std::io;
use std::sync::{Arc, PoisonError};

use tokio_util::sync::CancellationToken;

use super::{Changed, Compared, Marker, Place};
use crate::error::{Error, Result};
use crate::incoming::Archive;
use crate::restore::loading::Shared;
use crate::restore::report;
use crate::restore::selection::Selected;
use crate::sources::{FilesMarker, FilesRefusal, FilesSource, FilesTarget, WantedFiles};
use strongroom_runtime::failpoint;

/// Reads live files and compares them with the manifest's digests. The archive itself is not needed for that.
pub(super) async fn compare(
    source: &FilesSource,
    selected: &Selected,
    wanted: &Arc<WantedFiles>,
) -> Result<Compared> {
    let files = Arc::clone(wanted);
    let inspection = blocking(source, move |target| target.inspect(&files)).await?;
    let refused = |refusal: &FilesRefusal| {
        report::refused(selected.source(), "", refusal.reason, refusal.message.clone())
    };
    Ok(Compared {
        plan: report::files(&selected.record, wanted, &inspection),
        refusals: inspection.refusals.iter().map(refused).collect(),
        fingerprint: inspection.fingerprint,
        place: Place::Folder(inspection.place),
    })
}

pub(super) async fn stage(
    source: &FilesSource,
    mut archive: Archive,
    (selected, wanted): (&Selected, &Arc<WantedFiles>),
    (id, fingerprint, progress): (&str, &str, &Shared),
) -> Result<()> {
    let (wanted, entries, progress) = (Arc::clone(wanted), selected.entries.clone(), Arc::clone(progress));
    let (id, fingerprint, own) = (id.to_owned(), fingerprint.to_owned(), source.clone());
    // If the caller no longer waits, it has settled the restore without the files staged from now on.
    let stop = CancellationToken::new();
    let _stops = stop.clone().drop_guard();
    blocking(source, move |target| {
        let mut stage = target.stage(&wanted, &fingerprint, &id)?;
        failpoint::reached("restore.stage_begun");
        for (at, (file, entry)) in wanted.files.iter().zip(entries).enumerate() {
            if stop.is_cancelled() {
                drop(stage);
                own.target()?.discard(&id, FilesMarker::Staged)?;
                return Err(Error::ClientLeft);
            }
            if !stage.needs(at) {
                continue;
            }
            tell(&progress, &file.path.to_string_lossy());
            let mut content = archive.entry_at(entry)?;
            stage.add(at, &mut Counted { from: &mut content, progress: &progress })?;
            content.finish()?;
        }
        failpoint::reached("restore.loaded");
        stage.keep().map_err(Error::from)
    })
    .await
}

pub(super) async fn swap(source: &FilesSource, id: &str) -> Result<Changed> {
    let id = id.to_owned();
    let swapped = blocking(source, move |target| target.swap(&id)).await?;
    let mut changed = Changed::default();
    changed.add(&swapped.changes);
    Ok(changed)
}

pub(super) async fn marker(source: &FilesSource, id: &str) -> Result<Option<Marker>> {
    let id = id.to_owned();
    let found = blocking(source, move |target| target.state_of(&id)).await?;
    Ok(found.map(Marker::from))
}

/// A thread whose caller no longer waits continues its work under the set's lock.
pub(super) async fn final_marker(source: &FilesSource, id: &str) -> Result<Option<Marker>> {
    let id = id.to_owned();
    let found = blocking(source, move |target| target.final_state_of(&id)).await?;
    Ok(found.map(Marker::from))
}

pub(super) async fn discard(source: &FilesSource, id: &str, only: Marker) -> Result<bool> {
    let id = id.to_owned();
    let only = match only {
        Marker::Staged => FilesMarker::Staged,
        Marker::Swapping => FilesMarker::Swapping,
        Marker::Applied => FilesMarker::Applied,
    };
    blocking(source, move |target| target.discard(&id, only)).await
}

pub(super) async fn check_roll_back(source: &FilesSource, id: &str, discard_changes: bool) -> Result<()> {
    let id = id.to_owned();
    blocking(source, move |target| target.check_roll_back(&id, discard_changes)).await
}

pub(super) async fn roll_back(source: &FilesSource, id: &str, discard_changes: bool) -> Result<u64> {
    let id = id.to_owned();
    let rolled = blocking(source, move |target| target.roll_back(&id, discard_changes)).await?;
    Ok(rolled.changes.created + rolled.changes.changed + rolled.changes.deleted)
}

/// A directory may be on a disk that does not answer.
async fn blocking<T: Send + 'static, E: Into<Error> + Send + 'static>(
    source: &FilesSource,
    work: impl FnOnce(FilesTarget) -> Result<T, E> + Send + 'static,
) -> Result<T> {
    let source = source.clone();
    tokio::task::spawn_blocking(move || work(source.target()?).map_err(Into::into)).await?
}

fn tell(progress: &Shared, path: &str) {
    let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
    path.clone_into(&mut progress.table);
}

/// Counts the bytes read.
struct Counted<'a, R> {
    from: &'a mut R,
    progress: &'a Shared,
}

impl<R: io::Read> io::Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.bytes = progress.bytes.saturating_add(read as i64);
        Ok(read)
    }
}
