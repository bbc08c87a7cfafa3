//! The vault's audit log: recording events of this service, and the log's head.

use std::time::Duration;

use strongroom_api::time::timestamp;
use strongroom_api::vault::v1::{
    CloseAuditOperationsRequest, GetAuditHeadRequest, RecordAuditEventRequest, ServiceEvent,
};
use strongroom_archive::manifest::AuditHead;
use strongroom_runtime::Delegation;

use super::client::{VaultClient, limited};
use crate::error::{Error, Result};

/// Waits before retrying an event: long enough for a vault to restart.
const RETRIES: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(2), Duration::from_secs(4)];

impl VaultClient {
    /// Appends `event` to the audit log, with the delegating caller as its actor. It is durable once this returns.
    pub(crate) async fn record(&self, delegation: &Delegation, event: ServiceEvent) -> Result<()> {
        let delegation = delegation.expose();
        let request = limited(RecordAuditEventRequest { event: Some(event), delegation });
        self.audit.clone().record_audit_event(request).await.map_err(|status| self.error(status))?;
        Ok(())
    }

    /// The same for an event with an operation id, which makes repetition harmless: if the vault is unavailable or
    /// busy, the call is retried for some seconds.
    pub(crate) async fn record_patiently(&self, delegation: &Delegation, event: ServiceEvent) -> Result<()> {
        for wait in RETRIES {
            match self.record(delegation, event.clone()).await {
                Err(Error::VaultAway { .. } | Error::VaultBusy { .. }) => tokio::time::sleep(wait).await,
                recorded => return recorded,
            }
        }
        self.record(delegation, event).await
    }

    /// Closes operations that have the event `started` but no `ended` one: those of `instance` (unless it is empty) and
    /// those started before a time in microseconds. Returns their number.
    pub(crate) async fn close_operations(
        &self,
        started: &str,
        ended: &str,
        instance: &str,
        started_before: i64,
    ) -> Result<i64> {
        let request = limited(CloseAuditOperationsRequest {
            started_event: started.to_owned(),
            ended_event: ended.to_owned(),
            instance: instance.to_owned(),
            started_before: Some(timestamp(started_before)),
        });
        let answer = self.audit.clone().close_audit_operations(request).await;
        Ok(answer.map_err(|status| self.error(status))?.into_inner().closed)
    }

    /// The head of the audit log; `None` while the log is empty.
    pub(crate) async fn audit_head(&self) -> Result<Option<AuditHead>> {
        let answer = self.audit.clone().get_audit_head(limited(GetAuditHeadRequest {})).await;
        let head = answer.map_err(|status| self.error(status))?.into_inner();
        let sequence = u64::try_from(head.sequence).unwrap_or(0);
        Ok((sequence > 0).then_some(AuditHead { chain: head.chain, sequence, mac: head.mac }))
    }
}
