//! Places for calls, shared among principals: a flood of one leaves room for the next one.
//!
//! Of n principals that have places, each may have `room / (n + 1)` of them. So whoever comes has as many waiting as those
//! who are there, and nobody has to be asked to leave. With 512 places a principal alone has 256 calls in progress, more
//! than saturate two cores; waiting longer would not answer anybody sooner.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tonic::Status;

use crate::status::exhausted;

/// The places of one kind of call.
#[derive(Debug)]
pub(super) struct Places {
    domain: &'static str,
    /// As messages name it.
    kind: &'static str,
    room: usize,
    /// Principals with calls in progress only.
    taken: Mutex<HashMap<Arc<str>, usize>>,
}

impl Places {
    /// `room` places for calls of `kind`; errors are of `domain`.
    pub(super) fn new(domain: &'static str, kind: &'static str, room: usize) -> Arc<Self> {
        Arc::new(Self { domain, kind, room, taken: Mutex::default() })
    }

    /// A place for a call of `principal`.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED, with a delay.
    pub(super) fn take(self: &Arc<Self>, principal: &Arc<str>) -> Result<Place, Status> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(principal).copied().unwrap_or(0);
        let principals = taken.len() + usize::from(own == 0);
        let share = (self.room / (principals + 1)).max(1);
        if own >= share {
            drop(taken);
            return Err(self.refusal(share));
        }
        *taken.entry(Arc::clone(principal)).or_default() += 1;
        Ok(Place { places: Arc::clone(self), principal: Arc::clone(principal) })
    }

    fn refusal(&self, share: usize) -> Status {
        let message = format!(
            "{share} {} of this token are in progress, which is its share; wait for answers before calling again",
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
pub(super) struct Place {
    places: Arc<Places>,
    principal: Arc<str>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.principal) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.principal);
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
    fn a_flood_leaves_room_for_everybody_who_comes() {
        let places = places(12);
        let first = flood(&places, "a");
        assert_eq!(first.len(), 6, "alone it has half");
        let second = flood(&places, "b");
        assert_eq!(second.len(), 4, "of two, each may have a third");
        assert_eq!(flood(&places, "c").len(), 3);
        drop(second);
        drop(first);
        assert_eq!(flood(&places, "d").len(), 6, "everything was given back");
        assert!(places.taken.lock().unwrap().is_empty(), "principals without calls are forgotten");
    }

    #[test]
    fn a_place_is_left_for_each_of_more_principals_than_places() {
        let places = places(4);
        let floods: Vec<_> = (0..20).map(|id| flood(&places, &format!("token:{id}"))).collect();
        assert!(floods.iter().all(|places| !places.is_empty()));
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let places = places(2);
        let principal = Arc::from("a");
        let _place = places.take(&principal).unwrap();
        let refusal = places.take(&principal).unwrap_err();
        assert_eq!(refusal.code(), Code::ResourceExhausted);
        assert!(refusal.message().starts_with("1 calls of this token"), "{}", refusal.message());
        let delay = refusal.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert!((500..1500).contains(&delay.as_millis()), "{delay:?}");
    }
}
