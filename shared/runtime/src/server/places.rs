//! Places for calls, shared among principals: a flood from one leaves room for the others.
//!
//! Any call gets a place while more than a quarter of them is free. In the last quarter, a principal gets a place only
//! while it has fewer than its share: one part in n + 1, for n principals with calls in progress. So a flood never has
//! more than three quarters, newcomers get the rest, and as the flood's calls end, their places go to principals below
//! their share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tonic::Status;

use crate::rpc::shape_of;
use crate::status::exhausted;

/// The places of all calls of a server. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct CallPlaces {
    calls: Arc<Places>,
    streams: Arc<Places>,
}

impl CallPlaces {
    /// Places for `calls` unary calls and `streams` streams, with errors of `domain`.
    pub(super) fn new(domain: &'static str, calls: usize, streams: usize) -> Self {
        let (calls, streams) = (Places::new(domain, "calls", calls), Places::new(domain, "streams", streams));
        Self { calls, streams }
    }

    /// A place for a call of `path` by `principal`.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED, with a delay.
    pub(crate) fn take(&self, path: &str, principal: &str) -> Result<Arc<Place>, Status> {
        let shape = shape_of(path);
        let streams = shape.client_streams || shape.server_streams;
        let places = if streams { &self.streams } else { &self.calls };
        places.take(&Arc::from(principal)).map(Arc::new)
    }
}

/// The places of one kind of call.
#[derive(Debug)]
struct Places {
    domain: &'static str,
    /// Its name in messages.
    kind: &'static str,
    room: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    /// Only principals with calls in progress.
    principals: HashMap<Arc<str>, Own>,
}

/// The calls of one principal.
#[derive(Debug, Default)]
struct Own {
    calls: usize,
    /// When the caller of the last refused call was told to retry.
    back: Option<Instant>,
}

impl Places {
    /// `room` places for calls of `kind`, with errors of `domain`.
    fn new(domain: &'static str, kind: &'static str, room: usize) -> Arc<Self> {
        Arc::new(Self { domain, kind, room, taken: Mutex::default() })
    }

    /// A place for a call of `principal`.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED, with a delay.
    fn take(self: &Arc<Self>, principal: &Arc<str>) -> Result<Place, Status> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.principals.get(principal).map_or(0, |own| own.calls);
        let principals = taken.principals.len() + usize::from(own == 0);
        let share = (self.room / (principals + 1)).max(1);
        let is_scarce = taken.total >= self.room - self.room / 4;
        // A principal without any call gets a place even beyond the room: there are few principals, and many calls.
        if own > 0 && (taken.total >= self.room || (is_scarce && own >= share)) {
            let delay = taken.principals.get_mut(principal).map_or(SOONEST, |own| own.delay(self.room));
            drop(taken);
            return Err(self.refusal(own, delay));
        }
        taken.total += 1;
        taken.principals.entry(Arc::clone(principal)).or_default().calls += 1;
        Ok(Place { places: Arc::clone(self), principal: Arc::clone(principal) })
    }

    fn refusal(&self, own: usize, delay: Duration) -> Status {
        let message = format!(
            "the service has as many {} in progress as it can answer in time, {own} of them from this \
             caller; wait for answers before calling again",
            self.kind
        );
        exhausted(self.domain, "TOO_MANY_CALLS", &message, delay)
    }
}

/// Shortest and longest retry delay of a refused call.
const SOONEST: Duration = Duration::from_millis(500);
const LATEST: Duration = Duration::from_secs(10);

impl Own {
    /// Time until the refused call should be retried. Each has its own turn, with `room` turns a second: calls that
    /// were refused together are not retried together, and refusals do not become the bulk of the work.
    fn delay(&mut self, room: usize) -> Duration {
        let now = Instant::now();
        let turn = Duration::from_secs(1) / u32::try_from(room).unwrap_or(u32::MAX).max(1);
        let soonest = now + SOONEST;
        let back = self.back.map_or(soonest, |back| (back + turn).clamp(soonest, now + LATEST));
        self.back = Some(back);
        back - now
    }
}

/// A call's place; returned when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    principal: Arc<str>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total -= 1;
        if let Some(own) = taken.principals.get_mut(&self.principal) {
            own.calls -= 1;
            if own.calls == 0 {
                taken.principals.remove(&self.principal);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt as _;

    use super::*;

    fn places(room: usize) -> Arc<Places> {
        Places::new("test.strongroom", "calls", room)
    }

    /// Takes places for `principal` until it is refused.
    fn flood(places: &Arc<Places>, principal: &str) -> Vec<Place> {
        let principal = Arc::from(principal);
        std::iter::from_fn(|| places.take(&principal).ok()).collect()
    }

    #[test]
    fn a_flood_leaves_a_quarter_to_everybody_else() {
        let places = places(12);
        let mut first = flood(&places, "a");
        assert_eq!(first.len(), 9);
        let second = flood(&places, "b");
        assert_eq!(second.len(), 3);
        first.truncate(4);
        assert_eq!(flood(&places, "a").len(), 2, "all but the last quarter is for everybody");
        drop((first, second));
        assert_eq!(flood(&places, "c").len(), 9, "everything was given back");
        let taken = places.taken.lock().unwrap();
        assert!(taken.total == 0 && taken.principals.is_empty(), "principals without calls are forgotten");
    }

    #[test]
    fn places_that_become_free_go_to_those_below_their_share() {
        let places = places(12);
        let (mut first, second) = (flood(&places, "a"), flood(&places, "b"));
        first.pop();
        assert!(flood(&places, "a").is_empty(), "it has two thirds");
        assert_eq!(flood(&places, "b").len(), 1, "and this one a quarter");
        drop(second);
    }

    #[test]
    fn a_place_is_left_for_each_of_more_principals_than_places() {
        let places = places(4);
        let floods: Vec<_> = (0..20).map(|id| flood(&places, &format!("token:{id}"))).collect();
        assert!(floods.iter().all(|places| !places.is_empty()));
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let places = places(1);
        let principal = Arc::from("a");
        let _place = places.take(&principal).unwrap();
        let refusal = places.take(&principal).unwrap_err();
        assert_eq!(refusal.code(), Code::ResourceExhausted);
        assert!(refusal.message().contains("1 of them from this caller"), "{}", refusal.message());
        let delay = refusal.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert_eq!(delay, SOONEST);
        for _ in 0..3 {
            let next = places.take(&principal).unwrap_err().get_details_retry_info().unwrap();
            assert!(next.retry_delay.unwrap() > delay, "each has a turn of its own");
        }
        for _ in 0..100 {
            let _ = places.take(&principal);
        }
        let last = places.take(&principal).unwrap_err().get_details_retry_info().unwrap().retry_delay;
        assert!(last.unwrap() <= LATEST, "{last:?}");
    }
}
