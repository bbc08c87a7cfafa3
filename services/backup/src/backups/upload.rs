//! Uploads an archive to its destinations: pieces are combined into parts of one size, and every destination gets each
//! part.
//!
//! Three parts are in memory: one being filled, one waiting, one being sent. Destinations share them, and the slowest
//! sets the pace. A destination that fails is dropped; the others continue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use strongroom_api::backup::v1::export_backup_response as export;
use tokio::sync::{Mutex, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::destinations::parts::PartSize;
use super::destinations::{Destination, Object, Part, PartId, Problem, StorageError};
use super::record::{Progress, to_json};
use crate::assembly::Receiver;
use crate::error::{Error, Result};
use crate::store::{CopyRow, OperationRow, Store};
use strongroom_runtime::failpoint;

/// Number of parts that can wait for a destination.
const WAITING: usize = 1;
/// Minimum interval between two records of the progress.
const RECORDED: Duration = Duration::from_secs(1);

/// The destination of one copy.
pub(super) struct Place {
    pub(super) destination: Arc<Destination>,
    pub(super) copy: CopyRow,
}

/// An upload to several places.
pub(super) struct Upload {
    store: Arc<dyn Store>,
    operation: OperationRow,
    size: PartSize,
    state: Mutex<State>,
}

struct State {
    places: Vec<Sending>,
    /// Pieces of the part being filled.
    pieces: Vec<Bytes>,
    bytes: u64,
    number: u64,
    offset: u64,
    recorded: Instant,
}

/// One place to which parts are being sent.
struct Sending {
    place: Place,
    parts: Option<mpsc::Sender<Numbered>>,
    worker: Option<AbortOnDropHandle<Result<Vec<PartId>, StorageError>>>,
    failure: Option<StorageError>,
}

#[derive(Clone)]
struct Numbered {
    number: u64,
    offset: u64,
    part: Part,
}

/// The result of one copy.
pub(super) struct Uploaded {
    pub(super) destination: Arc<Destination>,
    pub(super) copy: CopyRow,
    pub(super) ended: Result<Object, StorageError>,
}

impl Upload {
    pub(super) fn create(
        store: Arc<dyn Store>,
        operation: OperationRow,
        size: PartSize,
        places: Vec<Place>,
    ) -> Self {
        let sending = |place| Sending { place, parts: None, worker: None, failure: None };
        let state = State {
            places: places.into_iter().map(sending).collect(),
            pieces: Vec::new(),
            bytes: 0,
            number: 0,
            offset: 0,
            recorded: Instant::now(),
        };
        Self { store, operation, size, state: Mutex::new(state) }
    }

    /// Sends the last part and completes every copy. Fails only if none is complete.
    pub(super) async fn finish(&self) -> Result<Vec<Uploaded>> {
        let mut state = self.state.lock().await;
        if state.bytes > 0 {
            state.send_part(self.size).await?;
        }
        let size = state.offset;
        failpoint::reached("create.before_complete");
        let places = std::mem::take(&mut state.places);
        let ended = join_all(places.into_iter().map(|sending| sending.complete(size))).await;
        failpoint::reached("create.after_complete");
        if ended.iter().any(|uploaded| uploaded.ended.is_ok()) {
            return Ok(ended);
        }
        let first = ended.into_iter().find_map(|uploaded| uploaded.ended.err());
        Err(first.map_or(Error::NoDestination, Error::Storage))
    }

    /// Begins the upload to `sending`'s place. Its id is recorded in the catalogue before the first part is sent.
    async fn begin_place(&self, sending: &mut Sending) -> Result<()> {
        let Place { destination, copy } = &mut sending.place;
        match destination.begin(&copy.key).await {
            Ok(upload_id) => copy.upload_id = upload_id,
            Err(error) => {
                sending.failure = Some(error);
                return Ok(());
            }
        }
        failpoint::reached("create.before_upload_id");
        let is_known = self.store.set_copy(copy, &self.operation).await;
        if !matches!(is_known, Ok(true)) {
            // No other process knows its id.
            if let Err(error) = destination.abort(&copy.key, &copy.upload_id).await {
                tracing::warn!(%error, "an upload whose id could not be recorded is left unfinished");
            }
            is_known?;
            return Err(Error::Fenced);
        }
        failpoint::reached("create.after_upload_id");
        let (parts, received) = mpsc::channel(WAITING);
        let sent = send_parts(Arc::clone(destination), copy.clone(), received);
        sending.parts = Some(parts);
        sending.worker = Some(AbortOnDropHandle::new(tokio::spawn(sent)));
        Ok(())
    }
}

#[async_trait]
impl Receiver for Upload {
    async fn begin(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        for sending in &mut state.places {
            self.begin_place(sending).await?;
        }
        state.check().await
    }

    async fn chunk(&self, chunk: export::Chunk) -> Result<()> {
        let mut state = self.state.lock().await;
        state.bytes += chunk.data.len() as u64;
        state.pieces.push(chunk.data);
        if state.bytes < self.size.bytes() {
            return Ok(());
        }
        state.send_part(self.size).await
    }

    async fn progress(&self, progress: export::Progress) -> Result<()> {
        let mut state = self.state.lock().await;
        if state.recorded.elapsed() < RECORDED {
            return Ok(());
        }
        state.recorded = Instant::now();
        let progress = to_json(&Progress::from(progress));
        if self.store.set_progress(&progress, &self.operation).await? { Ok(()) } else { Err(Error::Fenced) }
    }
}

impl State {
    /// Sends the filled part to every place that has not failed.
    async fn send_part(&mut self, size: PartSize) -> Result<()> {
        let offset = size.offset(self.number)?;
        let part = Part::from_iter(std::mem::take(&mut self.pieces));
        let numbered = Numbered { number: self.number, offset, part };
        let sent = self.places.iter_mut().map(|sending| sending.send(numbered.clone()));
        join_all(sent).await;
        self.number += 1;
        self.offset += std::mem::take(&mut self.bytes);
        self.check().await
    }

    /// # Errors
    /// The error of the first place, if no place is left.
    async fn check(&mut self) -> Result<()> {
        if self.places.iter().any(|sending| sending.failure.is_none()) {
            return Ok(());
        }
        let first = self.places.iter_mut().find_map(|sending| sending.failure.take());
        Err(first.map_or(Error::NoDestination, Error::Storage))
    }
}

impl Sending {
    async fn send(&mut self, part: Numbered) {
        let Some(parts) = &self.parts else { return };
        if parts.send(part).await.is_err() {
            self.parts = None;
            self.failure = self.join().await.err();
        }
    }

    /// The parts that the worker has sent.
    async fn join(&mut self) -> Result<Vec<PartId>, StorageError> {
        match self.worker.take() {
            Some(worker) => worker.await.unwrap_or_else(|error| Err(self.failed(&error.to_string()))),
            None => Err(self.failed("its upload has not begun")),
        }
    }

    fn failed(&self, problem: &str) -> StorageError {
        let Place { destination, copy } = &self.place;
        StorageError::new(&destination.name, Some(&copy.key), Problem::Failed(problem.to_owned()))
    }

    async fn complete(mut self, size: u64) -> Uploaded {
        self.parts = None;
        let parts = match self.failure.take() {
            Some(error) => Err(error),
            None => self.join().await,
        };
        let Place { destination, copy } = self.place;
        let ended = match parts {
            Ok(parts) => destination.complete(&copy.key, &copy.upload_id, &parts, size).await,
            Err(error) => Err(error),
        };
        Uploaded { destination, copy, ended }
    }
}

async fn send_parts(
    destination: Arc<Destination>,
    copy: CopyRow,
    mut parts: mpsc::Receiver<Numbered>,
) -> Result<Vec<PartId>, StorageError> {
    let mut sent = Vec::new();
    while let Some(Numbered { number, offset, part }) = parts.recv().await {
        sent.push(destination.put_part(&copy.key, &copy.upload_id, number as usize, offset, part).await?);
        failpoint::reached("create.part");
    }
    Ok(sent)
}

impl From<export::Progress> for Progress {
    fn from(progress: export::Progress) -> Self {
        let export::Progress { table, tables_done, tables_total, rows, file, files_done, files_total } =
            progress;
        Self { table, tables_done, tables_total, rows, file, files_done, files_total }
    }
}

#[cfg(test)]
mod tests;
