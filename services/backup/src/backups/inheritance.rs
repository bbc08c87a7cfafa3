//! Inherits the operations of a dead process: fails its backups unless they were complete, and closes everything that
//! it left open in the audit log.

use std::sync::Arc;

use super::creation::KIND;
use super::ending::Ending;
use crate::error::{Error, Result};
use crate::operation::{AuditRecord, Unfinished};
use crate::store::{OperationRow, ProcessRow};

/// Inherits from dead processes.
pub(crate) struct Inheritance {
    pub(super) ending: Ending,
    pub(super) unfinished: Arc<Unfinished>,
}

impl Inheritance {
    /// Like [`crate::membership::Heir::inherit`], for backups.
    pub(crate) async fn inherit(&self, dead: &ProcessRow, operations: &[OperationRow]) -> bool {
        let (process, host) = (dead.id.as_str(), dead.host.as_str());
        match self.settle(dead, operations).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(process, host, %error, "operations that a dead process left unfinished cannot be settled yet");
                false
            }
        }
    }

    /// Closes everything that the process left open in the audit log, once all of its operations are settled. Returns
    /// false if that must be retried.
    pub(crate) async fn close(&self, dead: &ProcessRow) -> bool {
        let (process, host) = (dead.id.as_str(), dead.host.as_str());
        match self.unfinished.close(&dead.id).await {
            Ok(()) => {
                tracing::warn!(process, host, "a process has ended without shutting down");
                true
            }
            Err(error) => {
                tracing::warn!(process, host, %error, "the operations of a dead process are not closed in the audit log yet");
                false
            }
        }
    }

    async fn settle(&self, dead: &ProcessRow, operations: &[OperationRow]) -> Result<()> {
        let died = Error::ProcessDied(dead.host.clone());
        // Steps that do not need the vault come first: it may be unavailable.
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

    async fn record(&self, operation: &OperationRow, error: Option<&Error>) {
        let record = AuditRecord::of_another(self.ending.base.vault.clone(), &KIND, operation);
        if let Err(error) = record.settled(error).await {
            let id = operation.id.as_str();
            tracing::warn!(id, %error, "the end of a backup is recorded without its requester");
        }
    }
}
