//! The failpoints at which a process can die, and the required fate of its restore.

/// The rows in the database afterwards, and the state of its restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The rows from before the restore, which has failed.
    Failed,
    /// The archive's rows.
    Applied,
    /// The rows from before the restore, which was applied and rolled back.
    RolledBack,
}

/// A failpoint in a restore or a rollback.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The name in `STRONGROOM_FAILPOINT`.
    pub(super) name: &'static str,
    pub(super) fate: Fate,
    /// Whether it is in a rollback.
    pub(super) rolls_back: bool,
}

const fn failed(name: &'static str) -> Place {
    Place { name, fate: Fate::Failed, rolls_back: false }
}

const fn applied(name: &'static str) -> Place {
    Place { fate: Fate::Applied, ..failed(name) }
}

const fn rolling_back(name: &'static str, fate: Fate) -> Place {
    Place { name, fate, rolls_back: true }
}

/// In the order in which a process reaches them.
pub(crate) const RESTORING: [Place; 14] = [
    failed("restore.begun"),
    failed("restore.safety_begun"),
    failed("restore.safety_backup"),
    failed("restore.staging"),
    failed("restore.stage_begun"),
    failed("restore.loaded"),
    failed("restore.staged"),
    failed("restore.swapping"),
    applied("restore.swapped"),
    applied("restore.applied"),
    applied("restore.ended"),
    rolling_back("rollback.begun", Fate::Applied),
    rolling_back("rollback.done", Fate::RolledBack),
    rolling_back("rollback.recorded", Fate::RolledBack),
];

/// A failpoint at which a successor can also die.
pub(crate) const SETTLING: &str = "restore.settled";

/// Names of all failpoints of this file. A test compares them with the failpoints in the source code.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    RESTORING.iter().map(|place| place.name).chain([SETTLING])
}
