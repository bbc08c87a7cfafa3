//! The open vault: what every verb needs.

use std::sync::Arc;

use strongroom_crypto::{KeyRing, RootKeyId};
use strongroom_runtime::{Caller, Clock};
use strongroom_store::DatabaseUrl;

use crate::audit::Event;
use crate::principals::Principals;
use crate::store::Store;

/// The store, the ring and the clock.
pub(crate) struct Vault {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ring: KeyRing,
    pub(crate) root_key_id: RootKeyId,
    pub(crate) principals: Principals,
    pub(crate) clock: Arc<dyn Clock>,
    /// For reading our own tables as a source.
    pub(crate) database: DatabaseUrl,
}

impl Vault {
    pub(crate) fn root_key_id(&self) -> &RootKeyId {
        &self.root_key_id
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now_micros()
    }

    /// An event that `caller` causes now.
    pub(crate) fn event(&self, caller: &Caller, event: &str, target: &str) -> Event {
        Event::by(caller, self.now(), event, target)
    }
}
