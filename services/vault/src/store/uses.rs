//! Reveals and decrypts, on their way into the audit log.

use std::collections::BTreeMap;

use async_trait::async_trait;
use strongroom_store::Result;

use super::NewEvent;

/// An event that must be durable before something leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    /// What is about to leave.
    pub(crate) event: NewEvent,
    /// The credential whose last use this is, if one is used.
    pub(crate) credential_id: Option<String>,
}

/// What the writer of the group commit needs of the database.
#[async_trait]
pub(crate) trait UseStore: Send + Sync {
    /// Appends events that let something out, all in one transaction, and marks what they used.
    async fn append_uses(&self, uses: &[Use]) -> Result<()>;
}

/// Each credential once, with its latest use.
pub(super) fn latest_uses(uses: &[Use]) -> BTreeMap<&str, i64> {
    let mut latest = BTreeMap::new();
    for used in uses {
        let Some(credential_id) = &used.credential_id else { continue };
        let time = latest.entry(credential_id.as_str()).or_insert(used.event.time);
        *time = used.event.time.max(*time);
    }
    latest
}
