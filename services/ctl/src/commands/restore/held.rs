//! The current contents of the databases, and what to do next: for an operator who finds a restore that somebody else
//! began.

use strongroom_api::backup::v1::{Restore, RestoreMode, RestoreState};
use strongroom_api::limits::VAULT_SOURCE;
use strongroom_runtime::{Clock as _, SystemClock};

use super::{plan_text, words};
use crate::output::printable;
use crate::time::shown;

/// Rows of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// The rows from before the restore.
    Old,
    /// Entirely the old or entirely the new ones: the transaction has begun, and its outcome is not recorded yet.
    OldOrNew,
    /// The archive's rows.
    New,
}

/// One line per source if they differ, otherwise one for all.
pub(super) fn now(restore: &Restore) -> Vec<String> {
    let all = |sentence: &str| vec![sentence.to_owned()];
    match restore.state() {
        RestoreState::Unspecified => all("this release does not know the restore's state"),
        RestoreState::Planned | RestoreState::Refused => all("nothing was changed"),
        RestoreState::Applied if is_of_vault(restore) => vec![
            applied(restore.mode()).to_owned(),
            "but in the vault, whatever was revoked after the archive was made stays revoked: the event \
             restore.applied names each row"
                .to_owned(),
        ],
        RestoreState::Applied => all(applied(restore.mode())),
        RestoreState::Failed => all("every row is as it was before the restore"),
        RestoreState::RolledBack => all("the rows from before the restore are back"),
        RestoreState::Applying | RestoreState::RollingBack | RestoreState::Resumable => {
            restore.sources.iter().map(|source| of_source(restore, source)).collect()
        }
    }
}

/// Whether it changes the vault.
fn is_of_vault(restore: &Restore) -> bool {
    restore.sources.iter().any(|source| source == VAULT_SOURCE)
}

fn applied(mode: RestoreMode) -> &'static str {
    match mode {
        RestoreMode::Merge => {
            "the tables have the rows that they had, and those of the archive that they lacked"
        }
        RestoreMode::IntoEmpty | RestoreMode::Replace | RestoreMode::Unspecified => {
            "the tables had exactly the archive's rows when the restore ended"
        }
    }
}

fn of_source(restore: &Restore, source: &str) -> String {
    let rows = match rows(restore, source) {
        Rows::Old => "still as it was before the restore",
        Rows::OldOrNew => {
            "either entirely as it was before the restore or entirely the archive's, each file for itself; \
             the outcome is being determined"
        }
        Rows::New => "already the archive's",
    };
    format!("{}: {rows}", printable(source))
}

/// Determined by the last step that changes them. A step without a source applies to all sources.
fn rows(restore: &Restore, source: &str) -> Rows {
    let steps = restore.steps.iter().filter(|step| step.source.is_empty() || step.source == source);
    let told = steps.rev().find_map(|step| match &*step.step {
        "swapping" | "rolling-back" => Some(Rows::OldOrNew),
        "swapped" => Some(Rows::New),
        "rolled-back" | "discarded" => Some(Rows::Old),
        _ => None,
    });
    told.unwrap_or(Rows::Old)
}

/// What to do, one line each; empty if nothing remains to be done.
pub(super) fn next(restore: &Restore) -> Vec<String> {
    let id = &restore.id;
    match restore.state() {
        RestoreState::Planned => vec![format!(
            "`{}` applies it, until {}",
            plan_text::apply_command(restore),
            shown(restore.expire_time.as_ref())
        )],
        RestoreState::Refused | RestoreState::Failed => {
            vec!["remove the cause, and plan again with `strongroom restore plan`".to_owned()]
        }
        RestoreState::Applying | RestoreState::RollingBack => vec![
            format!("wait; `strongroom restore get {id}` shows its state"),
            "if the backup service was stopped, start it: it determines whether the change was committed"
                .to_owned(),
        ],
        RestoreState::Resumable => vec![
            "remove the cause: the restore continues by itself a few seconds later".to_owned(),
            format!("or `strongroom restore rollback {id}` undoes what was done"),
        ],
        RestoreState::Applied => after(restore),
        RestoreState::RolledBack | RestoreState::Unspecified => Vec::new(),
    }
}

/// Ways to undo the restore.
fn after(restore: &Restore) -> Vec<String> {
    let mut ways = Vec::new();
    let now = SystemClock.now_micros() / 1_000_000;
    let is_kept = restore.rollback_expire_time.is_some_and(|time| time.seconds > now)
        && !restore.steps.iter().any(|step| step.step == "removed");
    if is_kept {
        let until = shown(restore.rollback_expire_time.as_ref());
        let (flag, what) = match restore.mode() {
            // There are no old rows to compare the new ones with.
            RestoreMode::IntoEmpty => (" --discard-changes", "empties it again"),
            RestoreMode::Merge | RestoreMode::Replace | RestoreMode::Unspecified => ("", "rolls it back"),
        };
        ways.push(format!("`strongroom restore rollback {}{flag}` {what}, until {until}", restore.id));
    }
    if !restore.safety_backup_id.is_empty() {
        let when = if is_kept { "after that, " } else { "" };
        let backup = words::shell_word(&restore.safety_backup_id);
        // The vault is restored only if it is named explicitly.
        let sources = if is_of_vault(restore) {
            format!(" --sources {}", restore.sources.join(","))
        } else {
            String::new()
        };
        ways.push(format!(
            "{when}`strongroom restore plan {backup} --mode replace{sources}` plans a restore of the safety backup"
        ));
    }
    ways
}

#[cfg(test)]
mod tests {
    use strongroom_api::backup::v1::RestoreStep;

    use super::*;

    fn restore(state: RestoreState, steps: &[(&str, &str)]) -> Restore {
        let step = |(source, step): &(&str, &str)| RestoreStep {
            source: (*source).into(),
            step: (*step).into(),
            ..RestoreStep::default()
        };
        let sources = vec!["a".into(), "b".into()];
        Restore {
            state: state.into(),
            sources,
            steps: steps.iter().map(step).collect(),
            ..Restore::default()
        }
    }

    #[test]
    fn each_source_has_the_rows_that_its_last_step_says() {
        let all = [
            ("", "safety-backup"),
            ("a", "staging"),
            ("a", "staged"),
            ("a", "swapping"),
            ("a", "swapped"),
            ("b", "swapping"),
            ("b", "swapped"),
            ("", "rolling-back"),
            ("b", "rolled-back"),
            ("a", "rolled-back"),
        ];
        use Rows::{New, Old, OldOrNew};
        let expected = [
            (Old, Old),
            (Old, Old),
            (Old, Old),
            (Old, Old),
            (OldOrNew, Old),
            (New, Old),
            (New, OldOrNew),
            (New, New),
            (OldOrNew, OldOrNew),
            (OldOrNew, Old),
            (Old, Old),
        ];
        for (taken, expected) in expected.into_iter().enumerate() {
            let restore = restore(RestoreState::Applying, &all[..taken]);
            assert_eq!((rows(&restore, "a"), rows(&restore, "b")), expected, "after {taken} steps");
        }
    }

    #[test]
    fn every_state_says_what_is_there() {
        for state in (0..=8).map(|state| RestoreState::try_from(state).unwrap_or_default()) {
            let restore = restore(state, &[]);
            assert!(!now(&restore).is_empty(), "{state:?}");
            let is_over = matches!(state, RestoreState::RolledBack | RestoreState::Unspecified);
            // An applied restore without an undo and without a safety backup has no way back.
            assert_eq!(next(&restore).is_empty(), is_over || state == RestoreState::Applied, "{state:?}");
        }
    }

    #[test]
    fn a_way_that_is_closed_is_not_named() {
        let mut applied = restore(RestoreState::Applied, &[]);
        applied.rollback_expire_time = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 });
        applied.safety_backup_id = "s".into();
        let ways = next(&applied);
        assert!(ways[0].contains("restore rollback") && ways[1].starts_with("after that, "), "{ways:?}");
        applied.rollback_expire_time = Some(prost_types::Timestamp { seconds: 1, nanos: 0 });
        assert_eq!(next(&applied).len(), 1);
        applied.rollback_expire_time = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 });
        applied.steps = restore(RestoreState::Applied, &[("", "removed")]).steps;
        assert_eq!(
            next(&applied),
            ["`strongroom restore plan s --mode replace` plans a restore of the safety backup"]
        );
    }
}
