//! Restores that cannot be brought to their end now: the reason is in their row, and their number in the gauge and its
//! alert.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Base;
use super::journal::Journal;
use super::record::Request;
use crate::error::{Error, RestoreError, Result};
use crate::store::{RestoreRow, RestoreState};
use strongroom_runtime::failpoint;

/// Their ids.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<BTreeSet<String>>);

impl Waiting {
    pub(super) fn add(&self, restore: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(restore.to_owned());
    }

    pub(super) fn remove(&self, restore: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(restore);
    }

    /// Number of waiting restores.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Records why a restore cannot continue now, and returns `error`.
///
/// # Errors
/// Errors of recording it.
pub(super) async fn postponed(base: &Base, journal: &Journal, error: Error) -> Result<Error> {
    if matches!(error, Error::Fenced) {
        return Ok(error);
    }
    let (reason, problem) = (error.reason(), error.to_string());
    let postpone = |row: &mut RestoreRow, _| {
        row.state = RestoreState::Resumable;
        reason.clone_into(&mut row.reason);
        row.problem.clone_from(&problem);
        row.progress.clear();
        Ok(())
    };
    let row = journal.change_state(postpone).await?;
    base.waiting.add(&row.id);
    failpoint::reached("restore.postponed");
    Ok(error)
}

/// Whether this attempt must stop for all sources, because another process or a rollback brings the restore to its end.
pub(super) fn is_not_ours(error: &Error) -> bool {
    matches!(error, Error::Fenced | Error::Restore(RestoreError::Changed(_) | RestoreError::WantedBack(_)))
}

/// If there are several sources, adds the source's name to the error.
pub(super) fn of_source(source: &str, request: &Request, error: Error) -> Error {
    match error {
        error if is_not_ours(&error) => error,
        error if request.sources.len() == 1 => error,
        error => RestoreError::OfSource { name: source.to_owned(), source: Box::new(error) }.into(),
    }
}
