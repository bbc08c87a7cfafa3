//! Between the ZIP writer and the caller's `Write`.
//!
//! `ZipWriter` has two habits that a stream cannot bear. When dropped it finishes the archive, so an
//! export that failed half way would end like a whole one; and it wraps or prints errors. So the first
//! failure is kept here as it was, and after it, or once the guard is gone, nothing is passed on.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct State {
    closed: bool,
    failure: Option<io::Error>,
}

/// Passes bytes on to `inner` until it fails or its [`SinkGuard`] is dropped; then swallows them.
pub(crate) struct Sink<W> {
    inner: W,
    state: Arc<Mutex<State>>,
}

/// The other end of a [`Sink`]: closes it when dropped.
pub(crate) struct SinkGuard(Arc<Mutex<State>>);

impl<W: Write> Sink<W> {
    pub(crate) fn create(inner: W) -> (Self, SinkGuard) {
        let state = Arc::new(Mutex::new(State::default()));
        let guard = SinkGuard(Arc::clone(&state));
        (Self { inner, state }, guard)
    }

    pub(crate) fn into_inner(self) -> W {
        self.inner
    }

    fn keep(&self, error: io::Error) -> io::Error {
        let kind = error.kind();
        let mut state = lock(&self.state);
        state.closed = true;
        state.failure = Some(error);
        kind.into()
    }
}

impl SinkGuard {
    /// The failure of the sink, once.
    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        lock(&self.0).failure.take()
    }

    /// Whether nothing can be written any more.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.0).closed
    }

    /// Passes nothing on from here.
    pub(crate) fn close(&self) {
        lock(&self.0).closed = true;
    }
}

impl Drop for SinkGuard {
    fn drop(&mut self) {
        self.close();
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if lock(&self.state).closed {
            return Ok(bytes.len());
        }
        match self.inner.write(bytes) {
            Ok(0) if !bytes.is_empty() => Err(self.keep(io::ErrorKind::WriteZero.into())),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(self.keep(error)),
            other => other,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if lock(&self.state).closed {
            return Ok(());
        }
        self.inner.flush().map_err(|error| self.keep(error))
    }
}

/// A panic elsewhere cannot leave two plain fields half written, so poison means nothing here.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
