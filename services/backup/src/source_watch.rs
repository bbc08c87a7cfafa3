//! Checks whether each source can be read, for the page, `GetStatus`, a metric and the log. The service is ready even
//! if none can.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use strongroom_runtime::health::State;
use strongroom_runtime::metrics::Gauge;
use strongroom_runtime::{Clock, Metrics, Shutdown};

use crate::error::Error;
use crate::health::is_watched;
use crate::sources::Sources;

/// Interval between checks; each opens a connection.
const PERIOD: Duration = Duration::from_secs(20);

/// The last observed state of a source.
#[derive(Debug, Clone)]
pub(crate) struct SourceState {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) state: State,
    /// The reason why it cannot be read; empty otherwise.
    pub(crate) reason: String,
    /// Time of the last change of `state`, in microseconds since the epoch.
    pub(crate) since: i64,
    /// Its failure has been logged, its recovery not yet.
    logged: bool,
}

impl SourceState {
    /// Logs each change once. An unavailable vault is already in the log as the state of a dependency.
    fn log(&mut self, problem: Option<&Error>) {
        let source = self.name.as_str();
        match problem {
            Some(error) if !self.logged && !is_watched(error) => {
                self.logged = true;
                let reason = error.reason();
                tracing::warn!(source, reason, %error, "a source cannot be read; exports that need it fail until it can");
            }
            None if self.logged => {
                self.logged = false;
                tracing::info!(source, "a source can be read again");
            }
            _ => {}
        }
    }
}

/// Checks all sources periodically.
pub(crate) struct SourceWatch {
    sources: Arc<Sources>,
    clock: Arc<dyn Clock>,
    states: Mutex<Vec<SourceState>>,
    /// One per source, in the same order.
    up: Vec<Gauge>,
}

impl SourceWatch {
    pub(crate) fn new(sources: Arc<Sources>, clock: Arc<dyn Clock>, metrics: &Metrics) -> Self {
        let help = "Whether the source could be read when it was last checked (1) or not (0).";
        let gauges = metrics.gauges("strongroom_backup_source_up", help, &["source"]);
        let since = clock.now_micros();
        let state = |name: &str, kind| SourceState {
            name: name.to_owned(),
            kind,
            state: State::Starting,
            reason: String::new(),
            since,
            logged: false,
        };
        let states = sources.all().iter().map(|source| state(source.name(), source.kind())).collect();
        let up = sources.all().iter().map(|source| gauges.with_label_values(&[source.name()])).collect();
        Self { sources, clock, states: Mutex::new(states), up }
    }

    /// The states of all sources, the vault first.
    pub(crate) fn states(&self) -> Vec<SourceState> {
        self.known().clone()
    }

    /// Checks until `shutdown`.
    pub(crate) async fn run(&self, shutdown: &Shutdown) {
        let looking = async {
            loop {
                let looks = self.sources.all().iter().map(|source| source.probe());
                for (at, found) in join_all(looks).await.into_iter().enumerate() {
                    self.set(at, found.err().as_ref());
                }
                tokio::time::sleep(PERIOD).await;
            }
        };
        shutdown.unless_begun::<_>(looking).await;
    }

    /// The reported reason is the message of a status, which repeats neither a value nor SQL; the log has the rest.
    fn set(&self, at: usize, problem: Option<&Error>) {
        let state = if problem.is_none() { State::Ok } else { State::Failing };
        self.up[at].set(i64::from(state == State::Ok));
        let now = self.clock.now_micros();
        let mut known = self.known();
        let source = &mut known[at];
        source.reason = problem.map_or_else(String::new, |error| error.status().message().to_owned());
        if source.state != state {
            source.state = state;
            source.since = now;
        }
        source.log(problem);
    }

    fn known(&self) -> MutexGuard<'_, Vec<SourceState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
