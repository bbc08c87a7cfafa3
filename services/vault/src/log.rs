//! The way out for plaintext: its event is durable first.

use std::sync::Arc;

use crate::error::Result;
use crate::store::{NewEvent, Store, Use};

/// Commits the events of reveals and decrypts.
pub(crate) struct UseLog {
    store: Arc<dyn Store>,
}

impl UseLog {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Returns once the event is durable. `credential_id` is marked as used then.
    pub(crate) async fn commit(&self, event: NewEvent, credential_id: Option<&str>) -> Result<()> {
        let used = Use { event, credential_id: credential_id.map(str::to_owned) };
        Ok(self.store.append_uses(&[used]).await?)
    }
}
