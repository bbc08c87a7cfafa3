//! Ends the drill of a dead process: drops its scratch databases, and records the drill as not done unless all checks
//! were finished.

use super::ending::{closing, describe};
use super::evidence::Evidence;
use super::{Base, KIND};
use crate::backups::record::from_json;
use crate::error::{DrillError, Result};
use crate::operation::{AuditRecord, Ended};
use crate::store::{DrillRow, OperationRow, ProcessRow};

/// Inherits drills.
pub(crate) struct Inheritance {
    pub(super) base: Base,
}

impl Inheritance {
    /// Whether `operation` is a drill's.
    pub(crate) fn is_drill(operation: &OperationRow) -> bool {
        operation.kind == KIND.name
    }

    /// Like [`crate::membership::Heir::inherit`], for drills.
    pub(crate) async fn inherit(&self, dead: &ProcessRow, operations: &[OperationRow]) -> bool {
        for operation in operations {
            if let Err(error) = self.settle(operation, &dead.host).await {
                let (process, id) = (dead.id.as_str(), operation.id.as_str());
                tracing::warn!(process, id, %error, "the drill of a dead process cannot be ended yet");
                return false;
            }
        }
        true
    }

    /// If the evidence is complete, it becomes the result. The scratch databases are removed.
    async fn settle(&self, operation: &OperationRow, host: &str) -> Result<()> {
        let Some(drill) = self.base.store.drill(&operation.id).await? else {
            self.base.store.end_operation(operation).await?;
            return Ok(());
        };
        let mut evidence: Evidence = from_json(&drill.evidence);
        if drill.evidence.is_empty() {
            evidence.end(&DrillError::ProcessDied(host.to_owned()).into());
        }
        self.record(operation, (&drill, &evidence)).await;
        self.base.clear(&drill.id).await;
        let ended = self.base.ended(drill, &evidence);
        self.base.store.end_drill(&ended, operation).await?;
        Ok(())
    }

    async fn record(&self, operation: &OperationRow, (drill, evidence): (&DrillRow, &Evidence)) {
        let Ended { metadata, outcome, .. } = closing(evidence);
        let record = AuditRecord::of_another(self.base.vault.clone(), &KIND, operation).with(describe(drill));
        if let Err(error) = record.ended(outcome, metadata).await {
            let id = operation.id.as_str();
            tracing::warn!(id, %error, "the end of a dead process's drill could not be recorded in the audit log");
        }
    }
}
