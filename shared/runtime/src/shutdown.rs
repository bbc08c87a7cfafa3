//! Stopping: one token that everything listens to, and the signals that trip it.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
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

    /// A token tripped by SIGTERM (an orchestrator) or SIGINT (ctrl-c). The second of them ends the process at once.
    #[must_use]
    pub fn on_signal() -> Self {
        let shutdown = Self::new();
        let token = shutdown.clone();
        let mut signals = Signals::listen();
        tokio::spawn(async move {
            signals.next().await;
            token.begin();
            let number = signals.next().await;
            tracing::warn!("a second signal: the process ends at once, and what is running is cut");
            // As a shell reports a process that a signal has ended.
            std::process::exit(128 + number);
        });
        shutdown
    }

    /// The same for a service, which SIGHUP does not end: listeners look at their certificates then
    /// ([`crate::tls::ServerTls`]).
    #[must_use]
    pub fn of_service() -> Self {
        // Once somebody listens for a signal, it ends nothing any more.
        if let Err(error) = signal(SignalKind::hangup()) {
            tracing::error!(%error, "cannot listen for SIGHUP; it ends this process");
        }
        Self::on_signal()
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

/// The signals that stop a process.
struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Signals {
    fn listen() -> Self {
        Self { terminate: listen(SignalKind::terminate()), interrupt: listen(SignalKind::interrupt()) }
    }

    /// The number of the next one.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            Some(()) = received(&mut self.terminate) => SignalKind::terminate().as_raw_value(),
            Some(()) = received(&mut self.interrupt) => SignalKind::interrupt().as_raw_value(),
            else => std::future::pending().await,
        }
    }
}

fn listen(kind: SignalKind) -> Option<Signal> {
    let listening = signal(kind);
    listening.inspect_err(|error| tracing::error!(%error, ?kind, "cannot listen for a signal")).ok()
}

async fn received(signal: &mut Option<Signal>) -> Option<()> {
    signal.as_mut()?.recv().await
}
