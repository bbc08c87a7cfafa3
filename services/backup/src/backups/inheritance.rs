//! What becomes of the operations of a dead process: its backups fail, unless they were complete, and everything that it
//! left open in the audit log is closed.

use std::sync::Arc;

use strongroom_api::vault::v1::{AuditOutcome, ServiceEvent};
use strongroom_runtime::Delegation;

use super::creation::KIND;
use super::ending::Ending;
use crate::error::{Error, Result};
use crate::operation::{Metadata, Unfinished, put};
use crate::store::{OperationRow, ProcessRow};

/// Inherits from dead processes.
pub(crate) struct Inheritance {
    pub(super) ending: Ending,
    pub(super) unfinished: Arc<Unfinished>,
}

impl Inheritance {
    /// As of [`crate::membership::Heir`], of backups.
    pub(crate) async fn inherit(&self, dead: &ProcessRow, operations: &[OperationRow]) -> bool {
        let (process, host) = (dead.id.as_str(), dead.host.as_str());
        match self.settle(dead, operations).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(process, host, %error, "what a dead process has left cannot be settled yet");
                false
            }
        }
    }

    /// Closes what the process has left open in the audit log, once everything of it is settled. False if that has to be tried
    /// again.
    pub(crate) async fn close(&self, dead: &ProcessRow) -> bool {
        let (process, host) = (dead.id.as_str(), dead.host.as_str());
        match self.unfinished.close(&dead.id).await {
            Ok(()) => {
                tracing::warn!(process, host, "a process has ended without a word");
                true
            }
            Err(error) => {
                tracing::warn!(process, host, %error, "what a dead process has left open in the audit log is not closed yet");
                false
            }
        }
    }

    async fn settle(&self, dead: &ProcessRow, operations: &[OperationRow]) -> Result<()> {
        let died = Error::ProcessDied(dead.host.clone());
        // First what needs no vault: it may be away.
        for operation in operations {
            self.ending.try_fail(operation, died.reason(), &died.to_string()).await?;
        }
        self.ending.base.wake.notify_one();
        for operation in operations {
            let is_stored = self.ending.is_stored(operation).await?;
            if !is_stored {
                self.ending.base.vault.release_pins(&operation.id).await;
            }
            self.record(operation, if is_stored { None } else { Some(&died) }).await;
            self.ending.try_complete(operation).await?;
        }
        Ok(())
    }

    /// In the name of who asked for it. If that is too long ago, the operation is closed as unknown.
    async fn record(&self, operation: &OperationRow, error: Option<&Error>) {
        let mut metadata = Metadata::new();
        if let Some(error) = error {
            put(&mut metadata, "reason", error.reason());
        }
        let outcome = if error.is_none() { AuditOutcome::Success } else { AuditOutcome::Failed };
        let event = ServiceEvent {
            event: KIND.ended.to_owned(),
            target: operation.target.clone(),
            metadata,
            trace_id: operation.trace_id.clone(),
            outcome: outcome.into(),
            operation_id: operation.id.clone(),
        };
        let delegation = Delegation::new(operation.delegation.clone().into());
        if let Err(error) = self.ending.base.vault.record_patiently(&delegation, event).await {
            let id = operation.id.as_str();
            tracing::warn!(id, %error, "the end of a backup is recorded without who asked for it");
        }
    }
}
