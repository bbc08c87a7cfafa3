//! Increments this process's counter, and notices when the process no longer counts as alive.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strongroom_runtime::Clock;
use strongroom_store::Result;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{LOOKS, Member, PATIENCE};
use crate::store::{ProcessRow, Processes};

/// This process's registration.
pub(super) struct Heartbeat {
    store: Arc<dyn Processes>,
    host: String,
    clock: Arc<dyn Clock>,
    period: Duration,
    current: Mutex<Arc<Member>>,
}

/// The result of a heartbeat.
enum Beat {
    Heard,
    /// Another process has declared this one dead.
    Refused,
    /// The database could not be reached.
    Unheard(String),
}

impl Heartbeat {
    /// Registers this process. Returns when the registration began, which counts as its first heartbeat.
    pub(super) async fn begin(
        store: Arc<dyn Processes>,
        host: String,
        clock: Arc<dyn Clock>,
        period: Duration,
    ) -> Result<(Self, Instant)> {
        let asked = Instant::now();
        let current = Mutex::new(register(store.as_ref(), &host, clock.as_ref()).await?);
        Ok((Self { store, host, clock, period, current }, asked))
    }

    pub(super) fn current(&self) -> Arc<Member> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Increments the counter at every heartbeat. `heard`: start of the last successful heartbeat.
    pub(super) async fn keep_beating(&self, mut heard: Instant) {
        let retry = self.period / LOOKS;
        let (mut next, mut is_failing) = (heard + self.period, false);
        loop {
            sleep_until(next).await;
            let (asked, member) = (Instant::now(), self.current());
            let deadline = heard + self.period * PATIENCE;
            // After a pause of the whole process, others may not have declared it dead yet: try a heartbeat before
            // giving up.
            let until = if is_failing { deadline } else { deadline.max(asked + retry) };
            match self.beat(&member.id, until).await {
                Beat::Heard => {
                    (heard, next, is_failing) = (asked, asked + self.period, false);
                    continue;
                }
                Beat::Refused => lose(&member, "another process declared this one dead"),
                Beat::Unheard(problem) if Instant::now() >= deadline => lose(&member, &problem),
                Beat::Unheard(problem) => {
                    if !is_failing {
                        tracing::warn!(problem, "a heartbeat does not reach the database; trying again");
                    }
                    (next, is_failing) = (deadline.min(asked + retry), true);
                    continue;
                }
            }
            heard = self.join_again().await;
            (next, is_failing) = (heard + self.period, false);
        }
    }

    async fn beat(&self, id: &str, until: Instant) -> Beat {
        match timeout_at(until, self.store.beat(id)).await {
            Ok(Ok(true)) => Beat::Heard,
            Ok(Ok(false)) => Beat::Refused,
            Ok(Err(error)) => Beat::Unheard(error.to_string()),
            Err(_) => Beat::Unheard("the database does not answer".to_owned()),
        }
    }

    /// Registers under a new id as soon as the database is available. Returns when that registration began.
    async fn join_again(&self) -> Instant {
        loop {
            let asked = Instant::now();
            let registered = register(self.store.as_ref(), &self.host, self.clock.as_ref());
            if let Ok(Ok(member)) = timeout(self.period, registered).await {
                tracing::info!(id = member.id, "this process serves again, under a new id");
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = member;
                return asked;
            }
            sleep_until(asked + self.period / LOOKS).await;
        }
    }
}

/// Stops the work that the process has begun under this id.
fn lose(member: &Member, problem: &str) {
    member.lost.cancel();
    let id = member.id.as_str();
    tracing::error!(id, problem, "this process no longer counts as alive, and its operations are stopped");
}

async fn register(store: &dyn Processes, host: &str, clock: &dyn Clock) -> Result<Arc<Member>> {
    let id = Uuid::now_v7().to_string();
    let (host, start_time) = (host.to_owned(), clock.now_micros());
    let row = ProcessRow { id: id.clone(), host, beat: 0, start_time, heir: String::new() };
    store.register_process(&row).await?;
    Ok(Arc::new(Member { id, lost: CancellationToken::new() }))
}
