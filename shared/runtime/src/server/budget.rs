//! Bytes of requests in progress, limited for each principal and in total.
//!
//! A call counts from its first byte to the end of its answer, because until then its message, the data computed from
//! it and an unread answer are all in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tonic::Status;

use super::connections::{AnonymousCall, Peer};
use super::places::Place;
use crate::status::exhausted;

/// Initial charge of a call: it holds about that much besides its message, and the charge covers a small message.
pub(super) const CALL: usize = 4 << 10;
/// Maximum message size of a call without a token, a health check: its message is the name of a service.
const ANONYMOUS_MESSAGE: usize = 1 << 10;
/// Retry delay: requests in progress finish within milliseconds, unless a client is slow.
const RETRY: Duration = Duration::from_secs(1);

/// The byte budget of one server.
#[derive(Debug)]
pub(crate) struct Budget {
    domain: &'static str,
    principal_limit: usize,
    limit: usize,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    total: usize,
    /// Only principals with calls in progress.
    principals: HashMap<Arc<str>, usize>,
}

impl Budget {
    /// A budget of `limit` bytes in total and `principal_limit` for each principal, with errors of `domain`.
    pub(crate) fn new(domain: &'static str, principal_limit: usize, limit: usize) -> Arc<Self> {
        Arc::new(Self { domain, principal_limit, limit, used: Mutex::default() })
    }

    /// Begins a call of `principal`, which holds `place` until it ends.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED.
    pub(super) fn begin(
        self: &Arc<Self>,
        principal: &str,
        bytes: usize,
        place: Option<Arc<Place>>,
    ) -> Result<Arc<Charge>, Status> {
        let principal = Arc::from(principal);
        self.take(&principal, bytes)?;
        let payer = Payer::Principal { id: principal, _place: place };
        Ok(Arc::new(Charge { budget: Arc::clone(self), payer, bytes: AtomicUsize::new(bytes) }))
    }

    /// Begins a call that needs no token.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED.
    pub(super) fn begin_anonymous(self: &Arc<Self>, peer: Option<&Peer>) -> Result<Arc<Charge>, Status> {
        let call = match peer {
            Some(peer) => Some(peer.anonymous_call().ok_or_else(|| {
                self.refusal("this connection has as many calls without a token as it may have; wait for their answers")
            })?),
            None => None,
        };
        let payer = Payer::Nobody { _call: call };
        Ok(Arc::new(Charge { budget: Arc::clone(self), payer, bytes: AtomicUsize::new(0) }))
    }

    fn take(&self, principal: &Arc<str>, bytes: usize) -> Result<(), Status> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let own = used.principals.get(principal).copied().unwrap_or(0);
        if own + bytes > self.principal_limit {
            drop(used);
            let limit = self.principal_limit >> 10;
            return Err(self.refusal(&format!(
                "the requests of this caller's calls in progress have reached the limit of {limit} KiB; wait \
                 for answers before sending more"
            )));
        }
        if used.total + bytes > self.limit {
            drop(used);
            return Err(
                self.refusal("the service is receiving as many requests as it has room for; try again")
            );
        }
        used.add(principal, bytes);
        Ok(())
    }

    fn give_back(&self, principal: &Arc<str>, bytes: usize) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.total -= bytes;
        if let Some(own) = used.principals.get_mut(principal) {
            *own -= bytes;
            if *own == 0 {
                used.principals.remove(principal);
            }
        }
    }

    fn refusal(&self, message: &str) -> Status {
        exhausted(self.domain, "REQUEST_BYTES", message, RETRY)
    }
}

impl Used {
    fn add(&mut self, principal: &Arc<str>, bytes: usize) {
        self.total += bytes;
        *self.principals.entry(Arc::clone(principal)).or_default() += bytes;
    }
}

/// A call's share of the budget; returned when the last clone is dropped.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Arc<Budget>,
    payer: Payer,
    bytes: AtomicUsize,
}

#[derive(Debug)]
enum Payer {
    Principal { id: Arc<str>, _place: Option<Arc<Place>> },
    Nobody { _call: Option<AnonymousCall> },
}

impl Charge {
    /// Takes room for a message of `length` bytes, of which the first [`CALL`] are already charged. A message longer
    /// than a principal's limit counts as that limit: the service refuses it, and names its own limit.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED.
    pub(super) fn begin_message(&self, length: usize) -> Result<(), Status> {
        match &self.payer {
            Payer::Principal { id: principal, .. } => {
                let bytes = self.unpaid(length);
                if bytes > 0 {
                    self.budget.take(principal, bytes)?;
                    self.bytes.fetch_add(bytes, Ordering::Relaxed);
                }
                Ok(())
            }
            Payer::Nobody { .. } if length <= ANONYMOUS_MESSAGE => Ok(()),
            Payer::Nobody { .. } => Err(self.budget.refusal("a message this long needs a token")),
        }
    }

    /// Returns what [`Self::begin_message`] took.
    pub(super) fn end_message(&self, length: usize) {
        let bytes = self.unpaid(length);
        if let Payer::Principal { id: principal, .. } = &self.payer
            && bytes > 0
        {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.budget.give_back(principal, bytes);
        }
    }

    /// Counts an answer of `length` bytes. It is never refused, because the work is done; a client that does not read
    /// its answers has its next call refused.
    pub(super) fn add_answer(&self, length: usize) {
        if let Payer::Principal { id: principal, .. } = &self.payer {
            self.budget.used.lock().unwrap_or_else(PoisonError::into_inner).add(principal, length);
            self.bytes.fetch_add(length, Ordering::Relaxed);
        }
    }

    fn unpaid(&self, length: usize) -> usize {
        length.min(self.budget.principal_limit.saturating_sub(CALL)).saturating_sub(CALL)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Payer::Principal { id: principal, .. } = &self.payer {
            self.budget.give_back(principal, *self.bytes.get_mut());
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    fn budget() -> Arc<Budget> {
        Budget::new("test.strongroom", 100 << 10, 250 << 10)
    }

    fn begin(budget: &Arc<Budget>, principal: &str) -> Arc<Charge> {
        budget.begin(principal, CALL, None).unwrap()
    }

    fn used(budget: &Budget) -> (usize, usize) {
        let used = budget.used.lock().unwrap();
        (used.total, used.principals.len())
    }

    #[test]
    fn a_principal_is_refused_beyond_its_own_and_others_are_not() {
        let budget = budget();
        let greedy = begin(&budget, "token:a");
        greedy.begin_message(90 << 10).unwrap();
        let more = begin(&budget, "token:a");
        let refusal = more.begin_message(90 << 10).unwrap_err();
        assert_eq!(refusal.code(), tonic::Code::ResourceExhausted);
        assert_eq!(refusal.get_details_retry_info().unwrap().retry_delay, Some(RETRY));
        assert!(refusal.message().contains("100 KiB"), "{}", refusal.message());
        begin(&budget, "token:b").begin_message(90 << 10).unwrap();
        drop(greedy);
        more.begin_message(90 << 10).unwrap();
    }

    #[test]
    fn all_together_have_a_limit_too() {
        let budget = budget();
        let calls = ["a", "b", "c"].map(|id| begin(&budget, id));
        calls[0].begin_message(95 << 10).unwrap();
        calls[1].begin_message(95 << 10).unwrap();
        assert!(calls[2].begin_message(95 << 10).unwrap_err().message().contains("try again"));
    }

    #[test]
    fn everything_is_given_back() {
        let budget = budget();
        let call = begin(&budget, "a");
        call.begin_message(10 << 10).unwrap();
        assert_eq!(used(&budget), (10 << 10, 1));
        call.end_message(10 << 10);
        assert_eq!(used(&budget), (CALL, 1));
        call.begin_message(usize::MAX).unwrap();
        assert_eq!(used(&budget), ((100 << 10) - CALL, 1), "one that is too long counts as all");
        call.end_message(usize::MAX);
        for _ in 0..100 {
            call.begin_message(1 << 10).unwrap();
            call.begin_message(usize::MAX).unwrap_or(());
        }
        drop(call);
        assert_eq!(used(&budget), (0, 0), "a principal without calls is forgotten");
    }

    #[test]
    fn without_a_token_messages_are_short() {
        let call = budget().begin_anonymous(None).unwrap();
        call.begin_message(ANONYMOUS_MESSAGE).unwrap();
        assert!(call.begin_message(ANONYMOUS_MESSAGE + 1).is_err());
    }
}
