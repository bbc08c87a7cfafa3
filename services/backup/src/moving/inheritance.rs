//! Ends the imports of a dead process: removes their leftovers; the database's own marker says whether an import was
//! applied.

use super::IMPORT;
use super::ending::Ending;
use super::error::MoveError;
use crate::error::{Error, Result};
use crate::operation::{AuditRecord, Metadata, put};
use crate::store::{OperationRow, ProcessRow};
use crate::vault_client::VaultClient;

/// Inherits imports.
pub(crate) struct Inheritance {
    pub(super) ending: Ending,
    pub(super) vault: VaultClient,
}

impl Inheritance {
    /// Whether `operation` is an import's.
    pub(crate) fn is_import(operation: &OperationRow) -> bool {
        operation.kind == IMPORT.name
    }

    /// Like [`crate::membership::Heir::inherit`], for imports.
    pub(crate) async fn inherit(&self, dead: &ProcessRow, operations: &[OperationRow]) -> bool {
        for operation in operations {
            if let Err(error) = self.settle(operation, &dead.host).await {
                let (process, id) = (dead.id.as_str(), operation.id.as_str());
                tracing::warn!(process, id, %error, "the import of a dead process cannot be settled yet");
                return false;
            }
        }
        true
    }

    async fn settle(&self, operation: &OperationRow, host: &str) -> Result<()> {
        let Some(source) = self.ending.store.import_source(&operation.id).await? else {
            self.ending.store.end_operation(operation).await?;
            return Ok(());
        };
        // Record the result first: after the removal, nobody could determine it any more.
        let was_applied = self.ending.was_applied(operation, &source).await?;
        let died = Error::from(MoveError::ProcessDied(host.to_owned()));
        self.record(operation, &source, if was_applied { None } else { Some(&died) }).await?;
        self.ending.try_settle(operation, &source).await
    }

    /// # Errors
    /// If the vault is unavailable. Until then, the database's marker keeps the result of the import.
    async fn record(&self, operation: &OperationRow, source: &str, error: Option<&Error>) -> Result<()> {
        let mut metadata = Metadata::new();
        put(&mut metadata, "source", source);
        let record = AuditRecord::of_another(self.vault.clone(), &IMPORT, operation).with(metadata);
        match record.settled(error).await {
            Ok(()) => Ok(()),
            Err(error @ (Error::VaultAway { .. } | Error::VaultBusy { .. })) => Err(error),
            Err(error) => {
                let id = operation.id.as_str();
                tracing::warn!(id, %error, "the end of a dead process's import could not be recorded in the audit log");
                Ok(())
            }
        }
    }
}
