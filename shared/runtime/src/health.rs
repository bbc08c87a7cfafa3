//! Health of a process: its dependencies by name, each checked every second.
//!
//! `/readyz`, the gRPC health service, `GetStatus` and the page all show this one list. Each dependency is checked in
//! its own task, so that one that hangs does not delay the others; its state is known within [`PERIOD`] plus
//! [`PATIENCE`]. Another service that asks for it needs at most one more [`PERIOD`], which leaves more than a second of
//! the five that docs/operating.md promises.

mod grpc;
mod status;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::clock::Clock;
use crate::metrics::{Kind, Metrics, Sample};
use crate::printable::printable;
use crate::shutdown::Shutdown;
pub(crate) use grpc::follow;
pub use status::{Report, SERVICE, StatusApi};

/// Time between two checks of a dependency.
pub const PERIOD: Duration = Duration::from_secs(1);
/// Time limit for a dependency's answer.
pub const PATIENCE: Duration = Duration::from_millis(1500);
/// Maximum length of a reason, in bytes.
const MAX_REASON: usize = 1000;

/// Checks one dependency.
#[async_trait]
pub trait Check: Send + Sync + 'static {
    /// Succeeds if the dependency can be used now.
    ///
    /// # Errors
    /// The reason why it cannot be used.
    async fn check(&self) -> Result<(), Fault>;
}

/// Why a dependency cannot be used: a sentence for people, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Its own fault, which is logged once.
    Own(String),
    /// Caused by another dependency of the list, whose failure is already in the log.
    Follows(String),
}

impl Fault {
    /// The reason, as a sentence.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Own(reason) | Self::Follows(reason) => reason,
        }
    }
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self::Own(reason)
    }
}

/// State of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not checked yet.
    Starting,
    /// It can be used.
    Ok,
    /// It cannot be used.
    Failing,
}

impl State {
    /// Its name, for people and probes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ok => "ok",
            Self::Failing => "failing",
        }
    }
}

/// A dependency as of its last check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Its name, as operators know it.
    pub name: &'static str,
    /// Its state.
    pub state: State,
    /// Why it is failing; empty otherwise.
    pub reason: String,
    /// When it entered this state: microseconds since the epoch.
    pub since: i64,
}

/// The dependencies of one service. Clones share them.
#[derive(Debug, Clone)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    service: &'static str,
    clock: Arc<dyn Clock>,
    start_time: i64,
    known: Mutex<Known>,
    /// Counts changes, for tasks that wait for one.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Known {
    dependencies: Vec<Dependency>,
    /// Names of the dependencies whose failure has been logged, but not their recovery.
    logged: Vec<&'static str>,
    stopping: bool,
}

impl Health {
    /// Health of `service` (`vault`, `backup`), which needs everything in `names`; nothing has been checked yet.
    #[must_use]
    pub fn new(service: &'static str, names: &[&'static str], clock: Arc<dyn Clock>) -> Self {
        let start_time = clock.now_micros();
        let dependency =
            |name| Dependency { name, state: State::Starting, reason: String::new(), since: start_time };
        let dependencies = names.iter().copied().map(dependency).collect();
        let known = Mutex::new(Known { dependencies, logged: Vec::new(), stopping: false });
        Self(Arc::new(Inner { service, clock, start_time, known, changes: watch::Sender::new(0) }))
    }

    /// Publishes the dependencies as a metric.
    pub fn expose(&self, metrics: &Metrics) {
        let health = self.clone();
        let help = "1 when the service can use the dependency, 0 when it cannot.";
        metrics.sampled(Kind::Gauge, "strongroom_dependency_up", help, &["dependency"], move || {
            let known =
                health.dependencies().into_iter().filter(|dependency| dependency.state != State::Starting);
            let sample = |dependency: Dependency| Sample {
                labels: vec![dependency.name.to_owned()],
                value: f64::from(u8::from(dependency.state == State::Ok)),
            };
            known.map(sample).collect()
        });
    }

    /// The service's short name.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.0.service
    }

    /// When this value was created: microseconds since the epoch.
    #[must_use]
    pub fn start_time(&self) -> i64 {
        self.0.start_time
    }

    /// The current time, by the clock that dates the states.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.0.clock.now_micros()
    }

    /// Every dependency, in the order in which they were named.
    #[must_use]
    pub fn dependencies(&self) -> Vec<Dependency> {
        self.known().dependencies.clone()
    }

    /// Whether the process has been asked to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.known().stopping
    }

    /// Whether every dependency can be used and the process is not stopping.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let known = self.known();
        !known.stopping && known.dependencies.iter().all(|dependency| dependency.state == State::Ok)
    }

    /// Reports not ready from now on, whatever the states of the dependencies.
    pub fn stop(&self) {
        self.known().stopping = true;
        self.changed();
    }

    /// Checks the dependencies until `shutdown`, each in its own task. Dropping the set ends the tasks at once.
    #[must_use]
    pub fn watch(&self, checks: Vec<(&'static str, Arc<dyn Check>)>, shutdown: &Shutdown) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for (name, check) in checks {
            let (health, shutdown) = (self.clone(), shutdown.clone());
            tasks.spawn(async move {
                let looking = async {
                    loop {
                        health.look(name, check.as_ref()).await;
                        sleep(PERIOD).await;
                    }
                };
                shutdown.unless_begun::<_>(looking).await;
            });
        }
        tasks
    }

    /// Waits until every dependency has been checked once.
    pub async fn known_once(&self) {
        let mut changes = self.0.changes.subscribe();
        while self.known().dependencies.iter().any(|dependency| dependency.state == State::Starting) {
            // Cannot fail: the sender is in `self`.
            let _ = changes.changed().await;
        }
    }

    async fn look(&self, name: &'static str, check: &dyn Check) {
        let late = || Err(Fault::Own(format!("no answer within {} s", PATIENCE.as_secs_f32())));
        let found = timeout(PATIENCE, check.check()).await.unwrap_or_else(|_| late());
        self.set(name, found.err().as_ref());
    }

    /// A change of state is dated and logged; a change of the reason alone is only shown.
    fn set(&self, name: &'static str, fault: Option<&Fault>) {
        let (now, reason) = (self.now(), cut(fault.map_or("", Fault::reason)));
        let state = if fault.is_none() { State::Ok } else { State::Failing };
        let mut known = self.known();
        let Some(dependency) = known.dependencies.iter_mut().find(|dependency| dependency.name == name)
        else {
            return;
        };
        let before = std::mem::replace(&mut dependency.state, state);
        dependency.reason.clone_from(&reason);
        if before != state {
            dependency.since = now;
        }
        let logged = known.logged.contains(&name);
        let service = self.0.service;
        match fault {
            Some(Fault::Own(_)) if !logged => {
                known.logged.push(name);
                tracing::warn!(service, dependency = name, reason, "a dependency is failing");
            }
            None if logged || before == State::Starting => {
                known.logged.retain(|other| *other != name);
                tracing::info!(service, dependency = name, "a dependency can be used");
            }
            _ => {}
        }
        drop(known);
        if before != state {
            self.changed();
        }
    }

    fn changed(&self) {
        self.0.changes.send_modify(|changes| *changes += 1);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reason on one line, of readable length.
fn cut(reason: &str) -> String {
    let reason = printable(reason);
    let end = (0..=MAX_REASON.min(reason.len())).rev().find(|at| reason.is_char_boundary(*at)).unwrap_or(0);
    reason[..end].to_owned()
}

#[cfg(test)]
mod tests;
