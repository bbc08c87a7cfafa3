//! Reveals and decrypts on their way into the audit log.

use std::collections::BTreeMap;

use async_trait::async_trait;
use strongroom_store::Result;

use super::NewEvent;

/// An event that must be durable before a plaintext leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    /// The event.
    pub(crate) event: NewEvent,
    /// The credential that is used, if any.
    pub(crate) credential_id: Option<String>,
}

/// The database operations of the group commit.
#[async_trait]
pub(crate) trait UseStore: Send + Sync {
    /// Appends the events of uses in one transaction, and marks the used credentials.
    async fn append_uses(&self, uses: &[Use]) -> Result<()>;
}

/// Each credential once, with the time of its latest use.
pub(super) fn latest_uses(uses: &[Use]) -> BTreeMap<&str, i64> {
    let mut latest = BTreeMap::new();
    for used in uses {
        let Some(credential_id) = &used.credential_id else { continue };
        let time = latest.entry(credential_id.as_str()).or_insert(used.event.time);
        *time = used.event.time.max(*time);
    }
    latest
}
