//! Threads that compress the pieces of a stream, so that it is not bound by one core.
//!
//! Pieces go to the threads in turn and are taken back in turn, so that their order needs no keeping. A thread has
//! one piece in hand and at most one before it: memory is bounded by the number of threads.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use crate::compression::Compression;
use crate::piece::{Compressor, Piece};

/// More would wait for the database (docs/performance.md).
const MOST: usize = 4;
/// Pieces that a thread may have.
const EACH: usize = 2;

/// Threads, started with the first piece and ended with this value.
pub(crate) struct Workers {
    compression: Compression,
    threads: Vec<Worker>,
    given: usize,
    taken: usize,
}

struct Worker {
    /// Taken away to end the thread.
    pieces: Option<SyncSender<Piece>>,
    compressed: Receiver<Piece>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    pub(crate) fn create(compression: Compression) -> Self {
        Self { compression, threads: Vec::new(), given: 0, taken: 0 }
    }

    /// Whether [`Self::take`] has to come before the next [`Self::give`].
    pub(crate) fn are_full(&self) -> bool {
        !self.threads.is_empty() && self.given - self.taken == EACH * self.threads.len()
    }

    /// Hands a piece to the next thread.
    ///
    /// # Errors
    /// When no thread can be started, or one is gone.
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

    /// The oldest piece if it is there already, so that the first bytes of a stream need not wait for the later ones.
    ///
    /// # Errors
    /// When its thread is gone.
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

    /// Waits for the oldest piece; `None` when all have been taken.
    ///
    /// # Errors
    /// When its thread is gone.
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
    /// Waits for the thread, at most for two pieces: whoever counts memory or threads later finds none of it.
    fn drop(&mut self) {
        self.pieces = None;
        if let Some(thread) = self.thread.take() {
            // A panic was told by the empty channel.
            let _ = thread.join();
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("a thread that compresses has ended early")
}
