//! Blocking threads that wait for async calls until their operation ends.

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// Waits for async calls on a blocking thread.
pub(crate) struct Blocking {
    stop: CancellationToken,
    runtime: Handle,
}

impl Blocking {
    /// For a thread of the current runtime, until `stop`.
    pub(crate) fn create(stop: CancellationToken) -> Self {
        Self { stop, runtime: Handle::current() }
    }

    /// Blocks until `asked` completes. Returns [`Error::ShuttingDown`] on `stop`.
    pub(crate) fn wait<T>(&self, asked: impl Future<Output = Result<T>>) -> Result<T> {
        let asked = self.stop.run_until_cancelled(asked);
        self.runtime.block_on(asked).unwrap_or(Err(Error::ShuttingDown))
    }

    /// [`Error::ShuttingDown`] once the thread is told to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.stop.is_cancelled() { Err(Error::ShuttingDown) } else { Ok(()) }
    }
}
