//! Threads that compress the pieces of a stream, so that one core does not limit it.
//!
//! Pieces are given to the threads in rotation and taken back in the same rotation, which preserves their
//! order. A thread has one piece in progress and at most one waiting, so the number of threads bounds the
//! memory.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use crate::compression::Compression;
use crate::piece::{Compressor, Piece};

/// More threads would wait for the database (docs/performance.md).
const MOST: usize = 4;
/// Maximum pieces per thread.
const EACH: usize = 2;

/// Threads, started with the first piece and ended when this value is dropped.
pub(crate) struct Workers {
    compression: Compression,
    threads: Vec<Worker>,
    given: usize,
    taken: usize,
}

struct Worker {
    /// Dropped to end the thread.
    pieces: Option<SyncSender<Piece>>,
    compressed: Receiver<Piece>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    pub(crate) fn create(compression: Compression) -> Self {
        Self { compression, threads: Vec::new(), given: 0, taken: 0 }
    }

    /// Whether [`Self::take`] must be called before the next [`Self::give`].
    pub(crate) fn are_full(&self) -> bool {
        !self.threads.is_empty() && self.given - self.taken == EACH * self.threads.len()
    }

    /// Gives a piece to the next thread.
    ///
    /// # Errors
    /// If no thread can be started, or a thread has ended.
    pub(crate) fn give(&mut self, piece: Piece) -> io::Result<()> {
        if self.threads.is_empty() {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            self.threads =
                (0..cores.min(MOST)).map(|_| Worker::start(self.compression)).collect::<io::Result<_>>()?;
        }
        let worker = &self.threads[self.given % self.threads.len()];
        self.given += 1;
        worker.pieces.as_ref().and_then(|pieces| pieces.send(piece).ok()).ok_or_else(gone)
    }

    /// Returns the oldest piece if it is ready, so that the first bytes of a stream need not wait for later
    /// ones.
    ///
    /// # Errors
    /// If its thread has ended.
    pub(crate) fn take_ready(&mut self) -> io::Result<Option<Piece>> {
        if self.given == self.taken {
            return Ok(None);
        }
        let worker = &self.threads[self.taken % self.threads.len()];
        match worker.compressed.try_recv() {
            Ok(piece) => {
                self.taken += 1;
                Ok(Some(piece))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(gone()),
        }
    }

    /// Waits for the oldest piece; `None` if all have been taken.
    ///
    /// # Errors
    /// If its thread has ended.
    pub(crate) fn take(&mut self) -> io::Result<Option<Piece>> {
        if self.given == self.taken {
            return Ok(None);
        }
        let worker = &self.threads[self.taken % self.threads.len()];
        self.taken += 1;
        worker.compressed.recv().map(Some).map_err(|_| gone())
    }
}

impl Worker {
    fn start(compression: Compression) -> io::Result<Self> {
        let (pieces, given) = sync_channel::<Piece>(EACH);
        let (finished, compressed) = sync_channel(EACH);
        let thread = thread::Builder::new().name("compressor".to_owned()).spawn(move || {
            let mut compressor = Compressor::create(compression);
            for mut piece in given {
                compressor.compress(&mut piece);
                if finished.send(piece).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { pieces: Some(pieces), compressed, thread: Some(thread) })
    }
}

impl Drop for Worker {
    /// Waits for the thread, at most for two pieces, so that later measurements of memory or threads do not
    /// include it.
    fn drop(&mut self) {
        self.pieces = None;
        if let Some(thread) = self.thread.take() {
            // The closed channel has already reported a panic.
            let _ = thread.join();
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("a thread that compresses has ended early")
}
