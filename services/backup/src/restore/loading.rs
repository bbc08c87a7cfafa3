//! Loads an archive's entries into a stage: one thread reads, checks and encodes rows while the database takes earlier
//! ones.
//!
//! A table counts only after its entry was read to its end and its digest matches the manifest: only then is its last
//! chunk sent.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::value::RawValue;
use strongroom_archive::schema::TableSchema;
use strongroom_archive::{Error as ArchiveError, Watch, verify_entry};
use strongroom_tables::load::{Chunk, Encoder, Stage};
use tokio::sync::mpsc;

use super::record::Progress;
use super::resealing::{Resealed, Resealing};
use super::rows::ChosenRows;
use super::selection::{Contents, Selected};
use crate::error::{Error, Result};
use crate::incoming::Archive;

/// Number of chunks that can wait for the database, together about 1 MiB.
const CHUNKS: usize = 4;
/// Size of a piece of a large object, in bytes.
const PIECE: usize = 256 << 10;

/// The current progress, for readers.
pub(super) type Shared = Arc<Mutex<Progress>>;

/// Loads everything selected for one source, and returns the archive. `resealing` seals its values again.
///
/// # Errors
/// Errors of the database, of reading the archive, and of values that a column does not accept.
pub(super) async fn load(
    mut archive: Archive,
    selected: &Selected,
    resealing: Option<&Arc<Resealing>>,
    stage: &mut Stage,
    progress: &Shared,
) -> Result<Archive> {
    let Contents::Database { large_objects, .. } = &selected.contents else { return Ok(archive) };
    for (at, entry) in selected.entries.iter().enumerate() {
        let (chunks, queue) = mpsc::channel(CHUNKS);
        let chosen = selected.rows.get(at).cloned().flatten();
        let mut feed =
            Feed { encoder: Some(stage.encoder(at)), chosen, chunks, progress: Arc::clone(progress) };
        let index = *entry;
        let table = archive.entries()[index].table.clone().unwrap_or_default();
        let resealing = resealing.map(|all| all.of_table(&table)).transpose()?.flatten();
        let reading = tokio::task::spawn_blocking(move || {
            let mut resealed = Resealed { resealing, inner: &mut feed };
            let read = verify_entry(&mut archive, index, &mut resealed).and_then(|_| resealed.finish());
            let read = read.and_then(|()| feed.finish());
            (archive, read)
        });
        let (read, loaded) = tokio::join!(reading, stage.load(at, queue));
        let (back, read) = read?;
        settle(read, loaded)?;
        archive = back;
    }
    for (oid, entry) in large_objects {
        archive = load_object(archive, (*oid, *entry), stage).await?;
    }
    Ok(archive)
}

/// Checks that the chosen rows exist, for a plan that loads nothing.
///
/// # Errors
/// [`crate::error::RestoreError::RowsMissing`], and errors of reading the archive.
pub(super) async fn find_rows(mut archive: Archive, selected: &Selected) -> Result<()> {
    let chosen: Vec<(usize, ChosenRows)> = selected
        .entries
        .iter()
        .zip(&selected.rows)
        .filter_map(|(entry, chosen)| Some((*entry, chosen.clone()?)))
        .collect();
    tokio::task::spawn_blocking(move || {
        for (entry, rows) in chosen {
            let mut finding = Finding(rows);
            verify_entry(&mut archive, entry, &mut finding)?;
            finding.0.check()?;
        }
        Ok(())
    })
    .await?
}

/// Looks for rows without using them.
struct Finding(ChosenRows);

impl Watch for Finding {
    fn row(&mut self, _schema: &TableSchema, values: &[&RawValue]) -> strongroom_archive::Result<()> {
        self.0.has(values);
        Ok(())
    }

    fn progress(&mut self, _bytes: u64) -> strongroom_archive::Result<()> {
        Ok(())
    }
}

async fn load_object(mut archive: Archive, (oid, index): (u32, usize), stage: &mut Stage) -> Result<Archive> {
    let (pieces, queue) = mpsc::channel(CHUNKS);
    let reading = tokio::task::spawn_blocking(move || {
        let sent = send_object(&mut archive, index, &pieces);
        (archive, sent)
    });
    let (read, loaded) = tokio::join!(reading, stage.load_large_object(oid, queue));
    let (archive, read) = read?;
    settle(read, loaded)?;
    Ok(archive)
}

fn send_object(
    archive: &mut Archive,
    index: usize,
    pieces: &mpsc::Sender<Bytes>,
) -> strongroom_archive::Result<()> {
    let mut entry = archive.entry_at(index)?;
    loop {
        let mut piece = vec![0; PIECE];
        let length = read_some(&mut entry, &mut piece)?;
        piece.truncate(length);
        // An empty piece marks the end, confirmed by the entry's digest.
        pieces.blocking_send(piece.into()).map_err(|_| to_archive(Error::ClientLeft))?;
        if length == 0 {
            return Ok(());
        }
    }
}

fn read_some(entry: &mut impl io::Read, piece: &mut [u8]) -> strongroom_archive::Result<usize> {
    loop {
        match entry.read(piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read.map_err(ArchiveError::from_read),
        }
    }
}

/// The side that failed first has the reason: if the database stops taking rows, the reader stops too, and vice versa.
fn settle(read: strongroom_archive::Result<()>, loaded: strongroom_tables::Result<u64>) -> Result<()> {
    match (read, loaded) {
        (Err(error), Err(strongroom_tables::Error::Cancelled)) => Err(error.into()),
        (_, Err(error)) => Err(error.into()),
        (Err(error), Ok(_)) => Err(error.into()),
        (Ok(()), Ok(_)) => Ok(()),
    }
}

/// Takes the rows of one table.
struct Feed {
    /// `None` once the last chunk was sent.
    encoder: Option<Encoder>,
    /// Only these rows, if any were chosen.
    chosen: Option<ChosenRows>,
    chunks: mpsc::Sender<Chunk>,
    progress: Shared,
}

impl Feed {
    fn finish(&mut self) -> strongroom_archive::Result<()> {
        self.chosen.as_ref().map_or(Ok(()), ChosenRows::check).map_err(to_archive)?;
        match self.encoder.take() {
            Some(encoder) => self.send(encoder.finish()),
            None => Ok(()),
        }
    }

    fn send(&self, chunk: Chunk) -> strongroom_archive::Result<()> {
        {
            let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress.rows = progress.rows.saturating_add_unsigned(chunk.count);
        }
        // The database has taken its last chunk; it reports its own error.
        self.chunks.blocking_send(chunk).map_err(|_| to_archive(Error::ClientLeft))
    }
}

impl Watch for Feed {
    fn row(&mut self, schema: &TableSchema, values: &[&RawValue]) -> strongroom_archive::Result<()> {
        let Some(encoder) = &mut self.encoder else { return Ok(()) };
        if self.chosen.as_mut().is_some_and(|chosen| !chosen.has(values)) {
            return Ok(());
        }
        let full = encoder.add(values).map_err(|error| to_archive(error.into()))?;
        if let Some(chunk) = full {
            self.name(&schema.name);
            self.send(chunk)?;
        }
        Ok(())
    }

    fn progress(&mut self, _bytes: u64) -> strongroom_archive::Result<()> {
        Ok(())
    }
}

impl Feed {
    fn name(&self, table: &str) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if progress.table != table {
            table.clone_into(&mut progress.table);
        }
    }
}

/// The archive reader returns the error unchanged.
pub(super) fn to_archive(error: Error) -> ArchiveError {
    ArchiveError::Sink(io::Error::from(error))
}
