//! The principal for which a run acts.

use std::sync::Arc;

use strongroom_api::vault::v1::{AuditOutcome, ServiceEvent};
use strongroom_runtime::{Caller, Delegation, Principal, Selectors};

use crate::error::Result;
use crate::operation::{Metadata, put};
use crate::store::ScheduleRow;
use crate::vault_client::VaultClient;

pub(super) struct Actor {
    pub(super) caller: Caller,
    /// The creator has lost the permission, so the service acts as itself.
    pub(super) is_orphan: bool,
}

impl Actor {
    /// The actor for an action that needs `permission`: the schedule's creator, if the vault confirms that the creator
    /// has it.
    ///
    /// # Errors
    /// The vault's errors.
    pub(super) async fn of(vault: &VaultClient, row: &ScheduleRow, permission: &str) -> Result<Self> {
        // A schedule that a restore brought back has no delegation until somebody resumes it.
        let renewed = match row.delegation.is_empty() {
            true => None,
            false => vault.renew_delegation(&row.delegation, permission).await?,
        };
        let is_orphan = renewed.is_none();
        let (id, delegation) =
            renewed.unwrap_or_else(|| (format!("schedule:{}", row.name), Delegation::default()));
        let principal = Principal {
            id,
            name: row.name.clone(),
            permissions: Arc::default(),
            selectors: Arc::new(Selectors::default()),
            delegation,
            token_hash: Vec::new(),
        };
        let caller = Caller { principal, via: String::new(), trace_id: String::new() };
        Ok(Self { caller, is_orphan })
    }
}

/// Records in the audit log that the schedule continues without its creator.
///
/// # Errors
/// The vault's errors.
pub(super) async fn record_orphan(vault: &VaultClient, row: &ScheduleRow) -> Result<()> {
    let mut metadata = Metadata::new();
    put(&mut metadata, "creator", row.creator.as_str());
    let event = ServiceEvent {
        event: "schedule.orphaned".to_owned(),
        target: row.name.clone(),
        metadata,
        trace_id: String::new(),
        outcome: AuditOutcome::Success.into(),
        operation_id: format!("{}-orphan-{}", row.name, row.revision),
    };
    vault.record_patiently(&Delegation::default(), event).await
}
