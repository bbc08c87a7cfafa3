//! A verification in the vault's audit log: one event, when it has ended.

use std::collections::HashMap;

use strongroom_api::vault::v1::{AuditEvent, AuditOutcome};
use strongroom_runtime::Caller;

use super::findings::Findings;
use crate::error::{Error, Result};
use crate::vault::{Vault, put};

const VERIFIED: &str = "backup.verified";

/// Writes one verification's event.
pub(super) struct Journal {
    vault: Vault,
    event: AuditEvent,
}

impl Journal {
    /// For a file that `caller` sends.
    pub(super) fn create(vault: Vault, caller: &Caller, file_name: &str) -> Self {
        let event = AuditEvent {
            actor: caller.principal.id.clone(),
            event: VERIFIED.to_owned(),
            target: file_name.to_owned(),
            trace_id: caller.trace_id.clone(),
            operation_id: uuid::Uuid::now_v7().to_string(),
            ..AuditEvent::default()
        };
        Self { vault, event }
    }

    /// Records the verdict, whatever it is. Without the event there is none.
    pub(super) async fn ended(&self, findings: &Findings) -> Result<()> {
        let outcome = if findings.is_ok() { AuditOutcome::Success } else { AuditOutcome::Failed };
        let mut event = AuditEvent { outcome: outcome.into(), ..self.event.clone() };
        let verdict = findings.verdict();
        put(&mut event.metadata, "archive_id", verdict.archive_id.as_str());
        put(&mut event.metadata, "size_bytes", verdict.size_bytes);
        put(&mut event.metadata, "sha256", verdict.sha256.as_str());
        put(&mut event.metadata, "values", verdict.values);
        put(&mut event.metadata, "values_closed", findings.closed_values());
        put_levels(&mut event.metadata, findings);
        self.vault.record_patiently(event).await
    }

    /// Records that it came to no verdict.
    pub(super) async fn failed(&self, error: &Error) {
        let outcome = if error.is_abort() { AuditOutcome::Aborted } else { AuditOutcome::Failed };
        let mut event = AuditEvent { outcome: outcome.into(), ..self.event.clone() };
        put(&mut event.metadata, "reason", error.reason());
        if let Err(error) = self.vault.record_patiently(event).await {
            tracing::error!(%error, "the end of a verification is not in the audit log");
        }
    }
}

/// `level_framing`, `level_signature`, `level_content` and `level_values`, each with its outcome in lower case.
fn put_levels(metadata: &mut HashMap<String, String>, findings: &Findings) {
    for level in &findings.verdict().levels {
        let outcome = level.outcome().as_str_name().trim_start_matches("VERIFY_OUTCOME_");
        let name = level.level().as_str_name().trim_start_matches("VERIFY_LEVEL_");
        put(metadata, &format!("level_{}", name.to_lowercase()), outcome.to_lowercase());
    }
}
