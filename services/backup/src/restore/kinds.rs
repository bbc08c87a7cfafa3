//! The kinds of operations of restores.

use crate::error::{Error, RestoreError};
use crate::operation::Kind;

/// The operation kind of plans.
pub(crate) static PLAN: Kind = Kind {
    name: "restore_plan",
    started: None,
    ended: "restore.planned",
    keeps: false,
    hands_on: false,
    queue: 16,
    busy: |most| Error::Restore(RestoreError::PlansBusy(most)),
    too_long: |seconds| Error::Restore(RestoreError::PlanTooLong(seconds)),
    stalled: Error::ClientSilent,
};

/// The operation kind of restores being applied.
pub(crate) static APPLY: Kind = Kind {
    name: "restore",
    started: Some("restore.started"),
    ended: "restore.completed",
    keeps: true,
    hands_on: true,
    queue: 1,
    busy: |most| Error::Restore(RestoreError::Busy(most)),
    too_long: |seconds| Error::Restore(RestoreError::TooLong(seconds)),
    stalled: Error::Stalled,
};

/// The operation kind of restores being rolled back.
pub(crate) static ROLLBACK: Kind = Kind {
    name: "restore_rollback",
    started: Some("restore.rollback_started"),
    ended: "restore.rolled_back",
    keeps: true,
    hands_on: true,
    queue: 1,
    busy: |most| Error::Restore(RestoreError::Busy(most)),
    too_long: |seconds| Error::Restore(RestoreError::TooLong(seconds)),
    stalled: Error::Stalled,
};
