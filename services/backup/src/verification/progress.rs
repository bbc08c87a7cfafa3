//! Progress of a running verification.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use strongroom_api::backup::v1::VerifyBackupResponse;
use strongroom_api::backup::v1::verify_backup_response::{Entry, Message, Progress};

use crate::error::{Error, Result};
use crate::operation::Outlet;

/// Receives the progress of a verification.
#[async_trait]
pub(crate) trait Listener: Send + Sync {
    /// Takes an entry's verdict; waits until there is room for it.
    ///
    /// # Errors
    /// Those of [`Outlet::send`].
    async fn entry(&self, entry: Entry) -> Result<()>;

    /// Takes progress, or drops it if the listener is slow.
    fn progress(&self, progress: Progress);
}

#[async_trait]
impl Listener for Outlet<VerifyBackupResponse> {
    async fn entry(&self, entry: Entry) -> Result<()> {
        self.send(VerifyBackupResponse { message: Some(Message::Entry(entry)) }).await
    }

    fn progress(&self, progress: Progress) {
        self.offer(VerifyBackupResponse { message: Some(Message::Progress(progress)) });
    }
}

/// Reports a verification's progress. Clones share the counts.
#[derive(Clone)]
pub(crate) struct Reporter {
    listener: Arc<dyn Listener>,
    /// Number of values for which the vault has answered.
    values: Arc<AtomicI64>,
    stall: Duration,
    /// Milliseconds spent waiting for the client.
    waited: Arc<AtomicU64>,
}

impl Reporter {
    /// Reports to a listener that may be waited for at most `stall` in total.
    pub(crate) fn create(listener: Arc<dyn Listener>, stall: Duration) -> Self {
        Self { listener, values: Arc::default(), stall, waited: Arc::default() }
    }

    /// Waits until there is room for `entry`. A client that reads only occasionally could hold its turn indefinitely,
    /// so the total waiting time is limited.
    ///
    /// # Errors
    /// Those of [`Listener::entry`], and [`Error::ClientTakesSlowly`].
    pub(super) async fn entry(&self, entry: Entry) -> Result<()> {
        let began = Instant::now();
        self.listener.entry(entry).await?;
        let now = began.elapsed().as_millis() as u64;
        let waited = self.waited.fetch_add(now, Ordering::Relaxed) + now;
        if u128::from(waited) > self.stall.as_millis() {
            return Err(Error::ClientTakesSlowly(self.stall.as_secs()));
        }
        Ok(())
    }

    /// Reports the number of bytes received.
    pub(crate) fn received(&self, bytes: u64) {
        self.progress(Progress { bytes_received: bytes as i64, ..Progress::default() });
    }

    /// Reports progress, unless the client is slow.
    pub(super) fn progress(&self, progress: Progress) {
        self.listener.progress(Progress { values: self.values.load(Ordering::Relaxed), ..progress });
    }

    /// Counts values for later progress reports.
    pub(super) fn count_values(&self, answered: usize) {
        self.values.fetch_add(answered as i64, Ordering::Relaxed);
    }
}
