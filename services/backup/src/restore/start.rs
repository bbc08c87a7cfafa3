//! Starts the operation of a restore: enters it in the restore's row, begins its audit record and runs its work.

mod application;
mod rollback;

use std::sync::Arc;

use strongroom_runtime::Caller;

use super::Restores;
use super::record::{Request, journal_of};
use crate::backups::record::to_json;
use crate::error::{Error, RestoreError, Result};
use crate::membership::Member;
use crate::operation::{AuditRecord, Ended, Kind, Operations, Permit};
use crate::store::{Begun, OperationRow, RestoreRow, RestoreState};

impl Restores {
    /// A restore that fails or exceeds the time limit is brought to its end before the operation's own end is recorded.
    /// If this process ends first, its heir does that.
    fn start(
        &self,
        operations: &Operations,
        (permit, member, record): (Permit, Arc<Member>, AuditRecord),
        operation: OperationRow,
        work: impl Future<Output = Result<Ended<()>>> + Send + 'static,
    ) {
        let (finishing, handing_on, ending) = (self.ending(), self.ending(), self.ending());
        let (finished, handed_on) = (operation.clone(), operation.clone());
        let (limit, lost) = (self.limit, Arc::clone(&member));
        let within = async move {
            let done = tokio::time::timeout(limit, work).await;
            // A restore that waits for a source must not keep others from starting.
            drop(permit);
            match done.unwrap_or_else(|_| Err(RestoreError::TooLong(limit.as_secs()).into())) {
                Ok(ended) => Ok(ended),
                Err(error) => finishing.finish(&finished, error).await,
            }
        };
        operations.start_detached(
            member,
            record,
            |_stop| async move { lost.until_lost(within).await },
            move |error: &Error| {
                let (cause, is_recorded) = (error.into(), !error.is_handed_on());
                async move { handing_on.hand_on(&handed_on, &cause, is_recorded).await }
            },
            async move { ending.end(&operation).await },
        );
    }

    fn record(
        &self,
        caller: &Caller,
        kind: &'static Kind,
        (operation, member): (&OperationRow, &Member),
        (request, id): (&Request, &str),
    ) -> AuditRecord {
        AuditRecord::create(self.base.vault.clone(), kind, caller, &operation.id, &operation.target)
            .with(request.described(id))
            .with_at_start("instance", member.id.as_str())
    }

    fn operation(
        &self,
        caller: &Caller,
        kind: &Kind,
        (id, target): (&str, &str),
        member: &Member,
    ) -> OperationRow {
        OperationRow {
            id: id.to_owned(),
            kind: kind.name.to_owned(),
            owner: member.id.clone(),
            fence: 1,
            delegation: caller.principal.delegation.expose().to_vec(),
            target: target.to_owned(),
            trace_id: caller.trace_id.clone(),
            start_time: self.base.clock.now_micros(),
        }
    }

    /// From here on, `operation` controls the restore.
    async fn begin(
        &self,
        before: &RestoreRow,
        (state, discard_changes): (RestoreState, bool),
        (request, operation): (&Request, &OperationRow),
    ) -> Result<RestoreRow> {
        let mut journal = journal_of(before)?;
        journal.operation.clone_from(&operation.id);
        // A restore that became resumable on its way forward was not completely applied. If it became resumable during a
        // rollback, `was_incomplete` keeps its value from the beginning of that rollback.
        journal.was_incomplete |= before.state == RestoreState::Resumable && !journal.is_going_back;
        journal.is_going_back = state == RestoreState::RollingBack;
        journal.discard_changes = discard_changes;
        journal.is_wanted_back = false;
        let row = RestoreRow {
            state,
            request: to_json(request),
            journal: to_json(&journal),
            reason: String::new(),
            problem: String::new(),
            revision: before.revision + 1,
            ..before.clone()
        };
        match self.base.store.begin_restore(&row, before.revision, &request.sources, operation).await? {
            Begun::Done => Ok(row),
            Begun::Stale => Err(RestoreError::Changed(row.id).into()),
            Begun::Fenced => Err(Error::Fenced),
            Begun::Busy(taken) => {
                let (source_name, other) = (taken.source, taken.restore_id);
                Err(RestoreError::TargetBusy { source_name, other }.into())
            }
        }
    }
}

fn check_state(row: &RestoreRow, wanted: &[RestoreState], wish: &'static str) -> Result<()> {
    if wanted.contains(&row.state) {
        return Ok(());
    }
    Err(RestoreError::State { id: row.id.clone(), state: row.state.as_str(), wish }.into())
}
