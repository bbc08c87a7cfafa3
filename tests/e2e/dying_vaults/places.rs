//! The failpoints at which a process can die, and the required fate of the restore.

/// The rows in vault and database afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The rows from before the restore, which has failed.
    Old,
    /// The archive's rows.
    New,
    /// The rows from before the restore, which was applied and rolled back.
    Back,
}

impl Fate {
    pub(super) fn state(self) -> &'static str {
        match self {
            Self::Old => "RESTORE_STATE_FAILED",
            Self::New => "RESTORE_STATE_APPLIED",
            Self::Back => "RESTORE_STATE_ROLLED_BACK",
        }
    }
}

/// A failpoint, named as in `STRONGROOM_FAILPOINT`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) fate: Fate,
    /// Whether it is in a rollback.
    pub(super) rolls_back: bool,
    /// Whether the short form tests it too.
    pub(super) is_short: bool,
}

const fn old(name: &'static str) -> Place {
    Place { name, fate: Fate::Old, rolls_back: false, is_short: false }
}

const fn new(name: &'static str) -> Place {
    Place { fate: Fate::New, ..old(name) }
}

const fn rolling_back(name: &'static str, fate: Fate) -> Place {
    Place { rolls_back: true, fate, ..old(name) }
}

const fn short(place: Place) -> Place {
    Place { is_short: true, ..place }
}

/// Failpoints of the vault. The database precedes it in stages and swaps, and follows it in a rollback.
pub(super) const OF_VAULT: [Place; 11] = [
    short(old("vault.stage_begun")),
    short(old("vault.rows_staged")),
    old("vault.rows_staged#2"),
    old("vault.stage_whole"),
    new("vault.ring_merged"),
    short(new("vault.committing")),
    short(new("vault.committed")),
    short(rolling_back("vault.undoing", Fate::New)),
    rolling_back("vault.undone", Fate::Back),
    short(rolling_back("vault.dropping", Fate::Back)),
    rolling_back("vault.dropped", Fate::Back),
];

/// Failpoints of the vault while it drops an uncommitted stage.
pub(super) const DROPPING: [&str; 2] = ["vault.dropping", "vault.dropped"];

/// Failpoints of the backup service.
pub(super) const OF_SERVICE: [Place; 21] = [
    old("restore.begun"),
    old("restore.safety_begun"),
    old("restore.safety_backup"),
    old("restore.staging"),
    old("restore.staging#2"),
    old("restore.stage_begun#2"),
    short(old("restore.loaded#2")),
    old("restore.staged#2"),
    old("restore.swapping"),
    short(new("restore.swapped")),
    new("restore.swap_recorded"),
    new("restore.swapping#2"),
    short(new("restore.swapped#2")),
    new("restore.swap_recorded#2"),
    new("restore.applied"),
    new("restore.ended"),
    rolling_back("rollback.checked", Fate::New),
    rolling_back("rollback.begun", Fate::New),
    short(rolling_back("rollback.done", Fate::Back)),
    rolling_back("rollback.begun#2", Fate::Back),
    rolling_back("rollback.recorded", Fate::Back),
];

/// For successors: the failpoint at which the previous process died, the successor's own failpoint, and the fate.
pub(super) const OF_HEIRS: [(&str, &str, Fate); 5] = [
    ("restore.staged#2", "restore.settled", Fate::Old),
    ("restore.swapped", "forward.begun", Fate::New),
    ("restore.swapping#2", "forward.swapped", Fate::New),
    ("restore.swapped#2", "restore.settled", Fate::New),
    ("rollback.done", "back.begun", Fate::Back),
];

/// Names of the vault's failpoints. A test compares them with the failpoints in the source code.
pub(super) fn of_vault() -> impl Iterator<Item = &'static str> {
    OF_VAULT.iter().map(|place| place.name)
}
