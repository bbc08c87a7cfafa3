//! Stopping: one token that everything listens to, and the signals that trip it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How long running calls may go on after the signal. Shorter than Kubernetes' 30 s before it kills.
pub const DRAIN: Duration = Duration::from_secs(20);
/// How long streams may: then each is told that the service stops, and what fills them has the rest of [`DRAIN`] to
/// record its end.
pub const STREAMS: Duration = Duration::from_secs(12);

/// A cloneable "please stop".
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// A token that nothing trips yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A token tripped by SIGTERM (an orchestrator) or SIGINT (ctrl-c).
    #[must_use]
    pub fn on_signal() -> Self {
        let shutdown = Self::new();
        let token = shutdown.clone();
        tokio::spawn(async move {
            wait_for_signal().await;
            token.begin();
        });
        shutdown
    }

    /// Asks everybody to stop. Asking twice changes nothing.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Waits until somebody asks to stop.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }

    /// Waits until streams must end.
    pub async fn streams_end(&self) {
        self.begun().await;
        tokio::time::sleep(STREAMS).await;
    }

    /// Runs `future` unless it is time to stop first.
    pub async fn unless_begun<F: Future>(&self, future: F) -> Option<F::Output> {
        self.0.run_until_cancelled(future).await
    }
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::error!(%error, "cannot listen for SIGTERM; only ctrl-c stops this process");
            let _ = tokio::signal::ctrl_c().await;
            return;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
