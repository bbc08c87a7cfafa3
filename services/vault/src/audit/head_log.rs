//! Writes the chain's head to the process log once a minute: an anchor outside the database.

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::Shutdown;

use super::Audit;
use crate::store::AuditHead;

const EVERY: Duration = Duration::from_secs(60);

/// Logs the head if it has moved, every minute until `shutdown`.
pub(crate) async fn log_head(audit: Arc<Audit>, shutdown: Shutdown) {
    let mut logged = 0;
    let mut minutes = tokio::time::interval(EVERY);
    while shutdown.unless_begun(minutes.tick()).await.is_some() {
        match audit.head().await {
            Ok(head) if head.sequence == logged => {}
            Ok(head) => {
                logged = head.sequence;
                log(head, &audit.chain().await.unwrap_or_default());
            }
            Err(error) => tracing::error!(%error, "the head of the audit log cannot be read"),
        }
    }
}

fn log(head: AuditHead, chain: &str) {
    let (mac, kid) = (head.mac.map(hex::encode).unwrap_or_default(), head.key_kid.unwrap_or_default());
    tracing::info!(chain, sequence = head.sequence, mac, kid, "the head of the audit log");
}
