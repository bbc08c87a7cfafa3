//! Threads that may block: they wait for others, until their operation ends.

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// Waits on a thread of its own.
pub(crate) struct Blocking {
    stop: CancellationToken,
    runtime: Handle,
}

impl Blocking {
    /// For a thread of the runtime that this is called on, until `stop`.
    pub(crate) fn create(stop: CancellationToken) -> Self {
        Self { stop, runtime: Handle::current() }
    }

    /// Blocks until `asked` is there. [`Error::ShuttingDown`] stands for `stop`.
    pub(crate) fn wait<T>(&self, asked: impl Future<Output = Result<T>>) -> Result<T> {
        let asked = self.stop.run_until_cancelled(asked);
        self.runtime.block_on(asked).unwrap_or(Err(Error::ShuttingDown))
    }

    /// [`Error::ShuttingDown`] once somebody wants the thread to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.stop.is_cancelled() { Err(Error::ShuttingDown) } else { Ok(()) }
    }
}
