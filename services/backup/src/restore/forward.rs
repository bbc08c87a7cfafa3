//! Goes forward: swaps the sources of a restore that have not been swapped yet, whichever process began it.
//!
//! After a dead process, the stage of a service has everything that a swap needs, and so has a set of files whose swap
//! has begun. Any other stage is removed and made again from the archive; a database's stage is tied to its connection.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Base;
use super::apply::{PlannedArchive, applied, swapped};
use super::journal::Journal;
use super::loading::Shared;
use super::record::{Progress, Request, StepName, request_of};
use super::selection::Selected;
use super::target::{Marker, Ready, Target};
use super::waiting::{is_not_ours, of_source, postponed};
use crate::error::{Error, RestoreError, Result};
use crate::store::{OperationRow, RestoreRow, RestoreState};
use strongroom_runtime::failpoint;

pub(super) struct Forward<'a> {
    pub(super) base: &'a Base,
}

/// The archive, once it was needed.
type Fetched = Option<(PlannedArchive, Vec<Selected>)>;

impl Forward<'_> {
    /// One attempt. If it fails, the restore records the reason, and can be rolled back until the next attempt.
    ///
    /// # Errors
    /// Errors of the sources and of the archive.
    pub(super) async fn go(&self, row: RestoreRow, operation: &OperationRow) -> Result<()> {
        let request = request_of(&row)?;
        let journal = Journal::of(self.base, operation, row);
        let going = |row: &mut RestoreRow, _| {
            row.state = RestoreState::Applying;
            Ok(())
        };
        let row = journal.change_state(going).await?;
        failpoint::reached("forward.begun");
        let progress: Shared = Arc::new(Mutex::new(Progress::default()));
        let all = Box::pin(self.all(&row.id, &request, (&journal, &progress)));
        match journal.while_telling(&progress, all).await {
            Ok(()) => {
                self.base.bring_back_schedules(&request).await?;
                journal.change_state(applied).await?;
                self.base.tell_of(&request);
                Ok(())
            }
            Err(error) => Err(postponed(self.base, &journal, error).await?),
        }
    }

    async fn all(&self, id: &str, request: &Request, (journal, progress): (&Journal, &Shared)) -> Result<()> {
        let (mut fetched, mut failed) = (None, None);
        for source in &request.sources {
            let one = self.one(source, (id, request), &mut fetched, (journal, progress));
            match Box::pin(one).await {
                Ok(()) => {}
                Err(error) if is_not_ours(&error) => return Err(error),
                // The other sources do not wait for this one.
                Err(error) => drop(failed.get_or_insert(of_source(source, request, error))),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn one(
        &self,
        source: &str,
        (id, request): (&str, &Request),
        fetched: &mut Fetched,
        (journal, progress): (&Journal, &Shared),
    ) -> Result<()> {
        let target = Target::of(self.base, source)?;
        let paused = match (target.final_marker(id).await?, &target) {
            // Even if its marker is gone: to swap it again would undo later changes by applications.
            (Some(Marker::Applied) | None, _) if journal.has(source, StepName::Swapped).await? => {
                return Ok(());
            }
            (Some(Marker::Applied), _) => Duration::ZERO,
            (Some(Marker::Swapping), _) | (Some(Marker::Staged), Target::Service(_)) => {
                swapping(journal, source).await?;
                target.swap(Ready::Kept, id, None).await?.paused
            }
            (Some(Marker::Staged), _) if !target.discard((id, request), Marker::Staged).await? => {
                return Err(RestoreError::Changed(id.to_owned()).into());
            }
            _ => {
                journal.confirm().await?;
                let ready = Box::pin(self.again(source, (id, request), fetched, progress)).await?;
                failpoint::reached("forward.staged");
                swapping(journal, source).await?;
                target.swap(ready, id, None).await?.paused
            }
        };
        failpoint::reached("forward.swapped");
        journal.change(|row, now| swapped(row, now, source, paused)).await.map(drop)
    }

    /// Stages a source again.
    async fn again(
        &self,
        source: &str,
        (id, request): (&str, &Request),
        fetched: &mut Fetched,
        progress: &Shared,
    ) -> Result<Ready> {
        if fetched.is_none() {
            let archive = PlannedArchive::fetch(self.base, request, progress).await?;
            let parts = archive.parts(self.base, request).await?;
            *fetched = Some((archive, parts));
        }
        let part = fetched
            .as_ref()
            .and_then(|(archive, parts)| Some((archive, parts.iter().find(|part| part.source() == source)?)));
        let (archive, part) =
            part.ok_or_else(|| Error::Defect(format!("the archive has nothing of {source}")))?;
        archive.stage(self.base, (part, request), (id, progress)).await
    }
}

/// Recorded once, however many attempts there are.
async fn swapping(journal: &Journal, source: &str) -> Result<()> {
    if journal.last(source).await? == Some(StepName::Swapping) {
        return journal.confirm().await;
    }
    journal.step(source, StepName::Swapping).await
}
