//! Retirement: disabling and destroying versions. Retiring a version that is still needed is refused unless another
//! person has approved it; destruction is delayed, and can be undone until then.

use std::sync::Arc;

use strongroom_crypto::{Purpose, State};
use strongroom_runtime::{Caller, Clock};

use super::{Approvals, Ledger, Ring, versions};
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::store::{KeyRequestRow, KeyVersionRow, Needs, RetirementAction, StateChange, Store, columns};

/// Attempts at a step when the version changes meanwhile.
const ATTEMPTS: usize = 3;

/// A step that can make values unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Disable,
    Destroy { at: i64 },
}

impl Step {
    fn action(self) -> RetirementAction {
        match self {
            Self::Disable => RetirementAction::Disable,
            Self::Destroy { .. } => RetirementAction::Destroy,
        }
    }

    fn event(self) -> &'static str {
        match self {
            Self::Disable => "key.version_disabled",
            Self::Destroy { .. } => "key.version_scheduled",
        }
    }

    fn from(self) -> State {
        match self {
            Self::Disable => State::DecryptOnly,
            Self::Destroy { .. } => State::Disabled,
        }
    }

    fn to(self) -> State {
        match self {
            Self::Disable => State::Disabled,
            Self::Destroy { .. } => State::Scheduled,
        }
    }

    fn destroy_time(self) -> Option<i64> {
        match self {
            Self::Disable => None,
            Self::Destroy { at } => Some(at),
        }
    }
}

/// Reason why a version cannot be retired without an approval.
enum Obstacle {
    InUse(Needs),
    StaleCensus,
}

impl Obstacle {
    /// The refusal, with the request that can be approved; `request_id` is empty if the caller is not a person.
    fn refusal(self, version: &KeyVersionRow, request_id: String) -> Error {
        let kid = version.kid.clone();
        match self {
            Self::InUse(needs) => Error::KeyVersionInUse {
                kid,
                rows: needs.rows,
                columns: needs.columns,
                archives: needs.archives,
                some_archives: needs.some_archives,
                request_id,
            },
            Self::StaleCensus => Error::KeyCensusStale { kid, key_id: version.key_id.clone(), request_id },
        }
    }
}

/// Changes of a version's state, forward and back.
pub(crate) struct Retirement {
    store: Arc<dyn Store>,
    ring: Arc<Ring>,
    ledger: Arc<Ledger>,
    approvals: Arc<Approvals>,
    clock: Arc<dyn Clock>,
}

impl Retirement {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        ring: Arc<Ring>,
        ledger: Arc<Ledger>,
        approvals: Arc<Approvals>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, ring, ledger, approvals, clock }
    }

    pub(crate) async fn disable(&self, caller: &Caller, kid: &str) -> Result<KeyVersionRow> {
        self.retire(caller, kid, Step::Disable).await
    }

    /// Schedules the destruction `after` microseconds from now.
    pub(crate) async fn destroy(&self, caller: &Caller, kid: &str, after: i64) -> Result<KeyVersionRow> {
        self.retire(caller, kid, Step::Destroy { at: self.now() + after }).await
    }

    /// Makes a disabled version decrypt-only again.
    pub(crate) async fn enable(&self, caller: &Caller, kid: &str) -> Result<KeyVersionRow> {
        self.step_back(caller, kid, State::Disabled, State::DecryptOnly, "key.version_enabled").await
    }

    /// Makes a scheduled version disabled again.
    pub(crate) async fn undo_destroy(&self, caller: &Caller, kid: &str) -> Result<KeyVersionRow> {
        self.step_back(caller, kid, State::Scheduled, State::Disabled, "key.version_unscheduled").await
    }

    async fn retire(&self, caller: &Caller, kid: &str, step: Step) -> Result<KeyVersionRow> {
        for _ in 0..ATTEMPTS {
            let version = versions::one(self.store.as_ref(), kid).await?;
            if version.state == State::Primary {
                return Err(Error::KeyVersionPrimary { kid: version.kid, key_id: version.key_id });
            }
            if step == Step::Disable && version.state == step.to() {
                return Ok(version);
            }
            expect_state(&version, step.from())?;
            let approved = match self.obstacle(&version).await? {
                None => None,
                Some(obstacle) => Some(self.approval(caller, &version, step, obstacle).await?),
            };
            if self.make_step(caller, &version, step, approved).await? {
                return versions::one(self.store.as_ref(), kid).await;
            }
        }
        Err(Error::Stale(kid.to_owned()))
    }

    /// The reason why the version cannot be retired without an approval, if any.
    async fn obstacle(&self, version: &KeyVersionRow) -> Result<Option<Obstacle>> {
        let columns = columns::counted(&version.key_id);
        let needs = self.store.needs(&version.kid, &columns, self.now()).await?;
        if !needs.is_none() {
            return Ok(Some(Obstacle::InUse(needs)));
        }
        if version.purpose == Purpose::Caller && !self.ledger.census_is_fresh(version).await? {
            return Ok(Some(Obstacle::StaleCensus));
        }
        Ok(None)
    }

    /// The approved request of the caller's person for this step. Without one, the refusal, which names the open
    /// request.
    async fn approval(
        &self,
        caller: &Caller,
        version: &KeyVersionRow,
        step: Step,
        obstacle: Obstacle,
    ) -> Result<KeyRequestRow> {
        let Some(person) = self.approvals.person(caller).await? else {
            return Err(obstacle.refusal(version, String::new()));
        };
        let request = self.approvals.open(caller, &person, &version.kid, step.action()).await?;
        if !self.approvals.is_approved(&request).await? {
            return Err(obstacle.refusal(version, request.id));
        }
        Ok(request)
    }

    async fn make_step(
        &self,
        caller: &Caller,
        version: &KeyVersionRow,
        step: Step,
        approved: Option<KeyRequestRow>,
    ) -> Result<bool> {
        let mut event =
            Event::by(caller, self.now(), step.event(), &version.kid).with("key_id", version.key_id.as_str());
        if let Some(request) = &approved {
            event = event.with("request_id", request.id.as_str()).with("approver", request.approver.as_str());
        }
        let change = StateChange {
            kid: version.kid.clone(),
            from: step.from(),
            to: step.to(),
            destroy_time: step.destroy_time(),
            request_id: approved.map(|request| request.id),
            now: self.now(),
        };
        let made = self.store.set_key_state(&change, &event.of_change().finish()).await?;
        self.ring.reload().await?;
        Ok(made)
    }

    async fn step_back(
        &self,
        caller: &Caller,
        kid: &str,
        from: State,
        to: State,
        event: &str,
    ) -> Result<KeyVersionRow> {
        for _ in 0..ATTEMPTS {
            let version = versions::one(self.store.as_ref(), kid).await?;
            if version.state == to {
                return Ok(version);
            }
            expect_state(&version, from)?;
            let event = Event::by(caller, self.now(), event, kid).with("key_id", version.key_id).finish();
            let change = StateChange {
                kid: kid.to_owned(),
                from,
                to,
                destroy_time: None,
                request_id: None,
                now: self.now(),
            };
            let made = self.store.set_key_state(&change, &event).await?;
            self.ring.reload().await?;
            if made {
                return versions::one(self.store.as_ref(), kid).await;
            }
        }
        Err(Error::Stale(kid.to_owned()))
    }

    /// Destroys the versions that are due. A version that is needed again since it was scheduled is kept.
    pub(crate) async fn destroy_due(&self) -> Result<()> {
        let now = self.now();
        for version in versions::all(self.store.as_ref()).await? {
            let due =
                version.state == State::Scheduled && version.destroy_time.is_some_and(|time| time <= now);
            if !due {
                continue;
            }
            let columns = columns::counted(&version.key_id);
            let needs = self.store.needs(&version.kid, &columns, now).await?;
            if !needs.is_none() && !version.destroy_approved {
                tracing::warn!(kid = %version.kid, ?needs, "a version is due to be destroyed, but needed again");
                continue;
            }
            let event = Event::by_system(now, "key.version_destroyed", &version.kid)
                .with("key_id", version.key_id.as_str())
                .finish();
            self.store.destroy_key_version(&version.kid, now, &event).await?;
            self.ring.reload().await?;
        }
        Ok(())
    }

    fn now(&self) -> i64 {
        self.clock.now_micros()
    }
}

fn expect_state(version: &KeyVersionRow, needs: State) -> Result<()> {
    if version.state == needs {
        return Ok(());
    }
    Err(Error::KeyVersionState { kid: version.kid.clone(), state: version.state, needs: needs.as_str() })
}
