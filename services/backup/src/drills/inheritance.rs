//! What becomes of the drill of a dead process: its scratch database is dropped, and it has failed.

use strongroom_api::vault::v1::{AuditOutcome, ServiceEvent};
use strongroom_runtime::Delegation;

use super::evidence::Evidence;
use super::{Base, Failure, KIND, describe, ended};
use crate::backups::record::from_json;
use crate::error::{DrillError, Error, Result};
use crate::operation::{Metadata, put};
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

    /// As of [`crate::membership::Heir`], of drills.
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

    /// One that had found everything ends with what it has found.
    async fn settle(&self, operation: &OperationRow, host: &str) -> Result<()> {
        self.base.places.clear(&operation.id).await?;
        let Some(drill) = self.base.store.drill(&operation.id).await? else {
            self.base.store.end_operation(operation).await?;
            return Ok(());
        };
        let evidence: Evidence = from_json(&drill.evidence);
        let failure = (drill.evidence.is_empty())
            .then(|| Failure::of(&Error::from(DrillError::ProcessDied(host.to_owned()))));
        self.record(operation, (&drill, &evidence, failure.as_ref())).await;
        self.base.end(drill, operation, (evidence, failure)).await
    }

    /// In the name of who asked for it.
    async fn record(
        &self,
        operation: &OperationRow,
        (drill, evidence, failure): (&DrillRow, &Evidence, Option<&Failure>),
    ) {
        let (mut metadata, outcome) = match failure {
            None => {
                let ended = ended(evidence);
                (ended.metadata, ended.outcome)
            }
            Some(failure) => {
                let mut metadata = Metadata::new();
                put(&mut metadata, "reason", failure.reason);
                (metadata, AuditOutcome::Failed)
            }
        };
        metadata.extend(describe(drill));
        let event = ServiceEvent {
            event: KIND.ended.to_owned(),
            target: operation.target.clone(),
            metadata,
            trace_id: operation.trace_id.clone(),
            outcome: outcome.into(),
            operation_id: operation.id.clone(),
        };
        let delegation = Delegation::new(operation.delegation.clone().into());
        if let Err(error) = self.base.vault.record_patiently(&delegation, event).await {
            let id = operation.id.as_str();
            tracing::warn!(id, %error, "the end of a dead process's drill cannot be in the audit log");
        }
    }
}
