//! The open vault: what every verb needs.

use std::sync::Arc;

use strongroom_crypto::{KeyRing, RootKeyId};
use strongroom_runtime::{Caller, Clock, Shutdown};
use strongroom_store::DatabaseUrl;

use crate::audit::{Event, outcome};
use crate::error::Error;
use crate::keys::Jobs;
use crate::log::UseLog;
use crate::lookups::{Candidates, Credentials, Lookups};
use crate::principals::Principals;
use crate::ring::OpenRing;
use crate::store::Store;

/// The store, the ring and the clock.
pub(crate) struct Vault {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) log: UseLog,
    pub(crate) rows: Lookups<Credentials>,
    pub(crate) candidates: Lookups<Candidates>,
    pub(crate) ring: OpenRing,
    pub(crate) jobs: Jobs,
    pub(crate) principals: Principals,
    pub(crate) clock: Arc<dyn Clock>,
    /// Ends streams that have no end of their own.
    pub(crate) shutdown: Shutdown,
    /// For reading our own tables as a source.
    pub(crate) database: DatabaseUrl,
}

impl Vault {
    pub(crate) fn root_key_id(&self) -> RootKeyId {
        self.ring.root_key_id()
    }

    /// The ring as it is now.
    pub(crate) fn ring(&self) -> Arc<KeyRing> {
        self.ring.current()
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now_micros()
    }

    /// The refusal of what would lie outside the caller's selection, after it is recorded as a denied call.
    pub(crate) async fn outside(&self, caller: &Caller, method: &'static str, selector: String) -> Error {
        let event = self.event(caller, "access.denied", method).outcome(outcome::DENIED);
        let event = event.with("selector", selector.as_str()).finish();
        match self.store.append_event(&event).await {
            Ok(_) => Error::OutsideSelection { method, selector },
            Err(error) => error.into(),
        }
    }

    /// An event that `caller` causes now.
    pub(crate) fn event(&self, caller: &Caller, event: &str, target: &str) -> Event {
        Event::by(caller, self.now(), event, target)
    }
}
