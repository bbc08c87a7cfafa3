//! The exit code of a backup that has ended.

use anyhow::{Result, bail};
use strongroom_api::backup::v1::{Backup, BackupCopyState, BackupState};

use super::details::{copy_state, problem_of, state, with_reason};
use crate::error::NotDone;
use crate::output::printable;

/// Success for a backup that every destination has.
///
/// # Errors
/// The server's reason and problem if it failed; the destinations that have it and those that do not, if only some have
/// it.
pub(in crate::commands) fn judge(backup: &Backup) -> Result<()> {
    match backup.state() {
        BackupState::Available => judge_copies(backup),
        BackupState::Failed => {
            let problem = with_reason(&backup.problem, &backup.reason);
            let problem = if problem.is_empty() { "the server gave no reason" } else { &problem };
            let sentence = format!("the backup failed: {}", printable(problem));
            bail!(NotDone::new(sentence, &backup.reason))
        }
        other => bail!("the backup is {}, not available", state(other)),
    }
}

fn judge_copies(backup: &Backup) -> Result<()> {
    let (stored, others): (Vec<_>, Vec<_>) =
        backup.copies.iter().partition(|copy| copy.state() == BackupCopyState::Stored);
    if others.is_empty() {
        return Ok(());
    }
    let stored: Vec<_> = stored.iter().map(|copy| printable(&copy.destination)).collect();
    let missing: Vec<String> = others
        .iter()
        .map(|copy| {
            let problem = problem_of(copy);
            let why = if problem.is_empty() { copy_state(copy.state()) } else { &problem };
            format!("{} ({})", printable(&copy.destination), printable(why))
        })
        .collect();
    let sentence =
        format!("the backup is stored in {}, and not in {}", stored.join(", "), missing.join(", "));
    bail!(NotDone::new(sentence, others.first().map_or("", |copy| copy.reason.as_str())))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use strongroom_api::backup::v1::BackupCopy;

    use super::*;

    fn copy(destination: &str, state: BackupCopyState) -> BackupCopy {
        BackupCopy { destination: destination.into(), state: state.into(), ..BackupCopy::default() }
    }

    fn backup(state: BackupState, copies: Vec<BackupCopy>) -> Backup {
        Backup { state: state.into(), copies, ..Backup::default() }
    }

    #[test]
    fn a_backup_that_every_destination_has_is_done() {
        let copies = vec![copy("a", BackupCopyState::Stored), copy("b", BackupCopyState::Stored)];
        judge(&backup(BackupState::Available, copies)).unwrap();
    }

    #[test]
    fn a_destination_without_its_copy_is_named() {
        let failed = BackupCopy {
            reason: "DESTINATION_DENIED".into(),
            problem: "the bucket\u{1b} refuses.".into(),
            ..copy("offsite", BackupCopyState::Failed)
        };
        let copies =
            vec![copy("local", BackupCopyState::Stored), failed, copy("c", BackupCopyState::Aborting)];
        let error = judge(&backup(BackupState::Available, copies)).unwrap_err().to_string();
        assert_eq!(
            error,
            "the backup is stored in local, and not in offsite (the bucket\\u{1b} refuses [DESTINATION_DENIED]), \
             c (aborting)"
        );
    }

    #[test]
    fn a_failed_backup_gives_its_reason() {
        let failed = backup(BackupState::Failed, Vec::new());
        let said = |backup: &Backup| judge(backup).unwrap_err().to_string();
        assert_eq!(said(&failed), "the backup failed: the server gave no reason");
        let failed = Backup { reason: "PROCESS_DIED".into(), problem: "it died.".into(), ..failed };
        assert_eq!(said(&failed), "the backup failed: it died [PROCESS_DIED]");
        assert!(said(&backup(BackupState::Deleted, Vec::new())).contains("is deleted"));
    }
}
