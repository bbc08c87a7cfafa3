use super::super::record::Journal;
use super::super::{APPLY, ROLLBACK};
use super::{has_done, is_in_charge};
use crate::backups::record::to_json;
use crate::store::{OperationRow, RestoreRow, RestoreState};

fn operation(id: &str) -> OperationRow {
    OperationRow {
        id: id.to_owned(),
        kind: APPLY.name.to_owned(),
        owner: "process".to_owned(),
        fence: 1,
        delegation: Vec::new(),
        target: String::new(),
        trace_id: String::new(),
        start_time: 0,
    }
}

fn row(state: RestoreState, in_charge: &str) -> RestoreRow {
    let journal = Journal { operation: in_charge.to_owned(), ..Journal::default() };
    RestoreRow {
        id: "restore".to_owned(),
        state,
        creator: String::new(),
        create_time: 0,
        expire_time: 0,
        rollback_time: None,
        end_time: None,
        reason: String::new(),
        problem: String::new(),
        request: String::new(),
        plan: String::new(),
        journal: to_json(&journal),
        progress: String::new(),
        safety_backup: String::new(),
        revision: 1,
    }
}

/// An operation left by its process may find that another process is rolling back the same restore.
#[test]
fn an_operation_brings_its_own_restore_to_its_end() {
    for state in RestoreState::ALL {
        for (in_charge, is_own) in [("one", true), ("other", false)] {
            let is_busy =
                matches!(state, RestoreState::Applying | RestoreState::RollingBack | RestoreState::Resumable);
            let found = is_in_charge(&row(state, in_charge), &operation("one")).unwrap();
            assert_eq!(found, is_busy && is_own, "{state:?} {in_charge}");
        }
    }
}

/// An application that was rolled back meanwhile had either been applied, or was abandoned by the rollback.
#[test]
fn what_an_operation_was_for_is_done_where_the_restore_says_so() {
    for state in RestoreState::ALL {
        for was_incomplete in [false, true] {
            let taken_back = state == RestoreState::RolledBack;
            let applied = state == RestoreState::Applied || taken_back && !was_incomplete;
            assert_eq!(has_done(APPLY.name, state, was_incomplete), applied, "{state:?} {was_incomplete}");
            assert_eq!(has_done(ROLLBACK.name, state, was_incomplete), taken_back, "{state:?}");
        }
    }
}
