//! An export in the vault's audit log: one event before its first byte, one that says how it ended.

use std::collections::HashMap;

use serde_json::json;
use strongroom_api::vault::v1::{AuditEvent, AuditOutcome};
use strongroom_runtime::Caller;

use super::pipeline::Summary;
use super::plan::Plan;
use crate::error::{Error, Result};
use crate::seal::SealChoice;
use crate::vault::{Vault, put};

/// The first event.
pub(crate) const STARTED: &str = "backup.export_started";
/// The last one, whatever the outcome.
pub(crate) const ENDED: &str = "backup.exported";

/// Writes one export's events.
pub(crate) struct Journal {
    vault: Vault,
    /// What both events share.
    event: AuditEvent,
    instance: String,
}

impl Journal {
    /// For an archive that `caller` asked for.
    pub(crate) fn create(
        vault: Vault,
        caller: &Caller,
        instance: &str,
        archive_id: &str,
        file_name: &str,
        plan: &Plan,
    ) -> Result<Self> {
        let options = serde_json::to_string(&plan.options)
            .map_err(|error| Error::Defect(format!("options make no JSON: {error}")))?;
        let mut metadata = HashMap::from([("options".to_owned(), options)]);
        if let Some(partial) = &plan.partial {
            put(&mut metadata, "partial", json!({ "tables": partial.tables, "since": partial.since }));
        }
        let event = AuditEvent {
            actor: caller.principal.id.clone(),
            target: file_name.to_owned(),
            metadata,
            trace_id: caller.trace_id.clone(),
            operation_id: archive_id.to_owned(),
            ..AuditEvent::default()
        };
        Ok(Self { vault, event, instance: instance.to_owned() })
    }

    /// Says in both events how the archive is sealed and which public keys open it; never a passphrase.
    pub(crate) fn sealed(&mut self, choice: &SealChoice, recipients: Vec<String>) {
        put(&mut self.event.metadata, "seal", choice.name());
        if !recipients.is_empty() {
            put(&mut self.event.metadata, "recipients", recipients);
        }
    }

    /// Records the start. It is tried once: without it the export does not begin.
    pub(crate) async fn started(&self) -> Result<()> {
        let mut event = self.event.clone();
        event.event = STARTED.to_owned();
        event.outcome = AuditOutcome::Success.into();
        put(&mut event.metadata, "instance", self.instance.as_str());
        put(&mut event.metadata, "archive_id", self.event.operation_id.as_str());
        self.vault.record(event).await
    }

    /// Records that the whole file was taken.
    pub(crate) async fn succeeded(&self, summary: &Summary) -> Result<()> {
        let mut event = self.ended(AuditOutcome::Success);
        put(&mut event.metadata, "size_bytes", summary.file.bytes);
        put(&mut event.metadata, "sha256", summary.file.sha256.as_str());
        put(&mut event.metadata, "tables", summary.tables);
        put(&mut event.metadata, "rows", summary.rows);
        if summary.files > 0 {
            put(&mut event.metadata, "files", summary.files);
        }
        self.vault.record_patiently(event).await
    }

    /// Records that it came to nothing. When the vault stays away the start is closed as unknown later.
    pub(crate) async fn failed(&self, error: &Error) {
        let outcome = if error.is_abort() { AuditOutcome::Aborted } else { AuditOutcome::Failed };
        let mut event = self.ended(outcome);
        put(&mut event.metadata, "reason", error.reason());
        if let Err(error) = self.vault.record_patiently(event).await {
            let archive_id = self.event.operation_id.as_str();
            tracing::error!(archive_id, %error, "the end of an export is not in the audit log");
        }
    }

    fn ended(&self, outcome: AuditOutcome) -> AuditEvent {
        let mut event = self.event.clone();
        event.event = ENDED.to_owned();
        event.outcome = outcome.into();
        event
    }
}
