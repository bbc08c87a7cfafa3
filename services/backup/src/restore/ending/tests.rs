use super::super::{APPLY, ROLLBACK};
use super::{has_done, is_open};
use crate::store::RestoreState;

/// An operation that its process left may find its restore applied, and in the middle of another process's rollback.
#[test]
fn an_operation_settles_its_own_part_of_a_restore() {
    for (state, apply_is_open, has_applied, rollback_is_open, has_rolled_back) in [
        (RestoreState::Applying, true, true, false, false),
        (RestoreState::Applied, false, true, false, false),
        (RestoreState::Failed, false, false, false, false),
        (RestoreState::RollingBack, false, true, true, false),
        (RestoreState::RolledBack, false, true, false, true),
    ] {
        assert_eq!(is_open(APPLY.name, state), apply_is_open, "{state:?}");
        assert_eq!(is_open(ROLLBACK.name, state), rollback_is_open, "{state:?}");
        if !apply_is_open {
            assert_eq!(has_done(APPLY.name, state), has_applied, "{state:?}");
        }
        assert_eq!(has_done(ROLLBACK.name, state), has_rolled_back, "{state:?}");
    }
}
