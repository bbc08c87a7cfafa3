//! Places for calls, shared among principals: a flood of one leaves room for the others.
//!
//! Whoever comes gets a place while a quarter is free. Of the last quarter, a principal gets places only as long as it has
//! fewer than its share: of n principals with calls in progress, one part in n + 1. So a flood never has more than three
//! quarters, whoever comes finds the rest, and as the flood's calls end their places go to those below their share.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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
    /// Places for `calls` unary calls and for `streams`; errors are of `domain`.
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
    /// As messages name it.
    kind: &'static str,
    room: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    /// Principals with calls in progress only.
    principals: HashMap<Arc<str>, usize>,
}

impl Places {
    /// `room` places for calls of `kind`; errors are of `domain`.
    fn new(domain: &'static str, kind: &'static str, room: usize) -> Arc<Self> {
        Arc::new(Self { domain, kind, room, taken: Mutex::default() })
    }

    /// A place for a call of `principal`.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED, with a delay.
    fn take(self: &Arc<Self>, principal: &Arc<str>) -> Result<Place, Status> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.principals.get(principal).copied().unwrap_or(0);
        let principals = taken.principals.len() + usize::from(own == 0);
        let share = (self.room / (principals + 1)).max(1);
        let is_scarce = taken.total >= self.room - self.room / 4;
        // One that has nothing gets a place even beyond the room: there are few principals, and many calls.
        if own > 0 && (taken.total >= self.room || (is_scarce && own >= share)) {
            drop(taken);
            return Err(self.refusal(own));
        }
        taken.total += 1;
        *taken.principals.entry(Arc::clone(principal)).or_default() += 1;
        Ok(Place { places: Arc::clone(self), principal: Arc::clone(principal) })
    }

    fn refusal(&self, own: usize) -> Status {
        let message = format!(
            "the service has as many {} in progress as it answers in time, {own} of them of this caller; wait for \
             answers before calling again",
            self.kind
        );
        exhausted(self.domain, "TOO_MANY_CALLS", &message, delay())
    }
}

/// From half a second to a second and a half: those who were refused together do not come back together.
fn delay() -> Duration {
    let chance = RandomState::new().hash_one(0) % 1000;
    Duration::from_millis(500 + chance)
}

/// A call's place; given back when dropped.
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
            *own -= 1;
            if *own == 0 {
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

    /// As many as it gets.
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
        assert!(refusal.message().contains("1 of them of this caller"), "{}", refusal.message());
        let delay = refusal.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert!((500..1500).contains(&delay.as_millis()), "{delay:?}");
    }
}
