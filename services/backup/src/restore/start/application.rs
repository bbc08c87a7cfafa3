//! Starts to apply a plan.

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::Caller;

use super::check_state;
use crate::error::{Error, RestoreError, Result};
use crate::restore::apply::Applying;
use crate::restore::journal::Journal;
use crate::restore::record::{Request, request_of};
use crate::restore::{APPLY, Restores};
use crate::store::{RestoreRow, RestoreState};

impl Restores {
    /// Begins to apply a plan. Writers wait at most `max_pause`, if given; `grant` comes from the vault, if the plan
    /// needs one.
    ///
    /// # Errors
    /// [`RestoreError::GrantMissing`], [`RestoreError::State`], [`RestoreError::PlanExpired`],
    /// [`RestoreError::TargetBusy`], [`RestoreError::Busy`], [`Error::Field`] for `confirm`.
    pub(crate) async fn apply(
        &self,
        caller: &Caller,
        id: &str,
        confirm: &str,
        (max_pause, grant): (Option<Duration>, &[u8]),
    ) -> Result<RestoreRow> {
        let permit = self.applications.admit()?;
        let before = self.get(id).await?;
        check_state(
            &before,
            &[RestoreState::Planned],
            "only a planned restore that is not refused can be applied",
        )?;
        if before.expire_time <= self.base.clock.now_micros() {
            return Err(RestoreError::PlanExpired(id.to_owned()).into());
        }
        let mut request = request_of(&before)?;
        check_confirmation(&request, confirm)?;
        if request.grantee.is_some() && grant.is_empty() {
            return Err(RestoreError::GrantMissing(id.to_owned()).into());
        }
        request.grant = hex::encode(grant);
        let member = self.membership.current();
        let operation = self.operation(caller, &APPLY, (id, &request.archive.file_name), &member);
        let row = self.begin(&before, (RestoreState::Applying, false), (&request, &operation)).await?;
        let applying = Applying {
            base: self.base.clone(),
            safety: self.safety.clone(),
            caller: caller.clone(),
            journal: Arc::new(Journal::of(&self.base, &operation, row.clone())),
            id: id.to_owned(),
            max_pause,
            request: request.clone(),
        };
        let record = self.record(caller, &APPLY, (&operation, &member), (&request, id));
        self.start(&self.applications, (permit, member, record), operation, applying.apply());
        Ok(row)
    }
}

/// The confirmation shows that somebody has read which rows are deleted. If none are, it may be empty or a source's
/// name.
fn check_confirmation(request: &Request, confirm: &str) -> Result<()> {
    let is_needless = request.confirm.is_empty()
        && (confirm.is_empty() || request.sources.iter().any(|name| name == confirm));
    if is_needless || (!request.confirm.is_empty() && request.confirm == confirm) {
        return Ok(());
    }
    let wanted =
        if request.confirm.is_empty() { request.sources.join(", ") } else { request.confirm.clone() };
    Err(Error::field(
        "confirm",
        format!("must be {wanted:?}, the name of what is to be restored; it is {confirm:?}"),
    ))
}
