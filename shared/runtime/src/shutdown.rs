//! Stopping a process: everything watches one token, which a signal trips.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long running calls may continue after the signal. Less than the 30 s after which Kubernetes kills the process.
pub const DRAIN: Duration = Duration::from_secs(20);
/// How long operations with a stream may continue after the signal; then they are stopped. Streams that still run after
/// half of the rest of [`DRAIN`] are cut off; the other half is for recording how their operations ended.
pub const STREAMS: Duration = Duration::from_secs(12);

/// A cloneable stop request.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// A token that nothing trips yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that SIGTERM (an orchestrator) or SIGINT (Ctrl-C) trips. The second signal ends the process at once.
    #[must_use]
    pub fn on_signal() -> Self {
        let shutdown = Self::new();
        let token = shutdown.clone();
        let mut signals = Signals::listen();
        tokio::spawn(async move {
            signals.next().await;
            token.begin();
            let number = signals.next().await;
            tracing::warn!("a second signal: the process ends at once and cuts off running calls");
            // The exit code that a shell reports for a process ended by a signal.
            std::process::exit(128 + number);
        });
        shutdown
    }

    /// [`Self::on_signal`] for a service, which SIGHUP does not end: it makes listeners check their certificates
    /// ([`crate::tls::ServerTls`]).
    #[must_use]
    pub fn of_service() -> Self {
        // Listening for a signal removes its default effect, which is to end the process.
        if let Err(error) = signal(SignalKind::hangup()) {
            tracing::error!(%error, "cannot listen for SIGHUP; that signal now ends this process");
        }
        Self::on_signal()
    }

    /// Asks everything to stop. Repeating it changes nothing.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Waits until a stop is requested.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }

    /// Waits until operations with a stream must stop: [`STREAMS`] after the signal.
    pub async fn streams_end(&self) {
        self.begun().await;
        tokio::time::sleep(STREAMS).await;
    }

    /// Runs `future` unless a stop is requested first.
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

    /// The number of the next signal.
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
