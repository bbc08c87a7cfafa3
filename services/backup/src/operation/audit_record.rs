//! An operation in the vault's audit log: the metadata that its events share, and how each is written.

use std::collections::HashMap;

use serde_json::Value;
use strongroom_api::vault::v1::{AuditOutcome, ServiceEvent};
use strongroom_runtime::{Caller, Delegation};

use super::kind::Kind;
use crate::error::{Error, Result};
use crate::store::OperationRow;
use crate::vault_client::VaultClient;

/// An event's metadata: JSON texts by name.
pub(crate) type Metadata = HashMap<String, String>;

/// Adds to an event's metadata.
pub(crate) fn put(metadata: &mut Metadata, key: &str, value: impl Into<Value>) {
    metadata.insert(key.to_owned(), value.into().to_string());
}

/// Writes one operation's events.
pub(crate) struct AuditRecord {
    vault: VaultClient,
    kind: &'static Kind,
    /// Delegation of the caller, kept as long as the operation runs.
    delegation: Delegation,
    /// Fields of all events.
    event: ServiceEvent,
    /// Metadata of the first event only.
    at_start: Metadata,
}

impl AuditRecord {
    /// For an operation on `target`, usually a file's name, requested by `caller`. `operation_id` links its events and
    /// makes it harmless to record one twice.
    pub(crate) fn create(
        vault: VaultClient,
        kind: &'static Kind,
        caller: &Caller,
        operation_id: &str,
        target: &str,
    ) -> Self {
        let event = ServiceEvent {
            target: target.to_owned(),
            trace_id: caller.trace_id.clone(),
            operation_id: operation_id.to_owned(),
            ..ServiceEvent::default()
        };
        let delegation = caller.principal.delegation.clone();
        Self { vault, kind, delegation, event, at_start: Metadata::new() }
    }

    /// For an operation that another process began: its end is recorded on behalf of its caller. If its start is too
    /// long ago, the vault refuses the delegation, and the operation is closed as unknown ([`super::Unfinished`]).
    pub(crate) fn of_another(vault: VaultClient, kind: &'static Kind, operation: &OperationRow) -> Self {
        let event = ServiceEvent {
            target: operation.target.clone(),
            trace_id: operation.trace_id.clone(),
            operation_id: operation.id.clone(),
            ..ServiceEvent::default()
        };
        let delegation = Delegation::new(operation.delegation.clone().into());
        Self { vault, kind, delegation, event, at_start: Metadata::new() }
    }

    /// Adds metadata to all events.
    pub(crate) fn with(mut self, metadata: Metadata) -> Self {
        self.event.metadata.extend(metadata);
        self
    }

    /// Adds metadata to the first event only.
    pub(crate) fn with_at_start(mut self, key: &str, value: impl Into<Value>) -> Self {
        put(&mut self.at_start, key, value);
        self
    }

    pub(super) fn operation_id(&self) -> &str {
        &self.event.operation_id
    }

    pub(super) fn target(&self) -> &str {
        &self.event.target
    }

    /// Records the start, if the kind has a start event. There is no retry: if recording fails, the operation does not
    /// begin.
    pub(super) async fn started(&self) -> Result<()> {
        let Some(name) = self.kind.started else { return Ok(()) };
        let mut event = self.event(name, AuditOutcome::Success);
        event.metadata.extend(self.at_start.clone());
        self.vault.record(&self.delegation, event).await
    }

    /// Records the failure of an operation that did not begin because the vault did not answer to its start event. The
    /// vault may have recorded that event before it failed, and a start without an end means that the operation runs.
    pub(super) async fn not_begun(&self, error: &Error) {
        if matches!(error, Error::VaultAway { .. }) {
            self.failed(error).await;
        }
    }

    /// Records the end with an outcome.
    pub(crate) async fn ended(&self, outcome: AuditOutcome, metadata: Metadata) -> Result<()> {
        let mut event = self.event(self.kind.ended, outcome);
        event.metadata.extend(metadata);
        self.vault.record_patiently(&self.delegation, event).await
    }

    /// Records the end of an operation that is only known to have failed with `error` or to have succeeded.
    pub(crate) async fn settled(&self, error: Option<&Error>) -> Result<()> {
        let mut metadata = Metadata::new();
        let Some(error) = error else { return self.ended(AuditOutcome::Success, metadata).await };
        put(&mut metadata, "reason", error.reason());
        self.ended(AuditOutcome::Failed, metadata).await
    }

    /// Records a failure. If the vault stays unavailable, an operation with a start event is closed as unknown later
    /// ([`super::Unfinished`]).
    pub(super) async fn failed(&self, error: &Error) {
        let outcome = if error.is_abort() { AuditOutcome::Aborted } else { AuditOutcome::Failed };
        let mut event = self.event(self.kind.ended, outcome);
        put(&mut event.metadata, "reason", error.reason());
        if let Err(error) = self.vault.record_patiently(&self.delegation, event).await {
            let (kind, id) = (self.kind.name, self.operation_id());
            tracing::error!(kind, id, %error, "the end of an operation is not in the audit log");
        }
    }

    fn event(&self, name: &str, outcome: AuditOutcome) -> ServiceEvent {
        ServiceEvent { event: name.to_owned(), outcome: outcome.into(), ..self.event.clone() }
    }
}
