//! The open vault: what every verb needs.

use std::sync::Arc;

use strongroom_crypto::{KeyRing, RootKeyId};
use strongroom_runtime::{Caller, Clock, Shutdown};
use strongroom_store::DatabaseUrl;

use crate::audit::Event;
use crate::log::UseLog;
use crate::ring::OpenRing;
use crate::store::Store;

/// The store, the ring and the clock.
pub(crate) struct Vault {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) log: UseLog,
    pub(crate) ring: OpenRing,
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

    /// An event that `caller` causes now.
    pub(crate) fn event(&self, caller: &Caller, event: &str, target: &str) -> Event {
        Event::by(caller, self.now(), event, target)
    }
}
