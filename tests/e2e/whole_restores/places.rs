//! The failpoints at which a process can die in a restore of several sources, and the required fate of all of them.

/// The rows and files in all sources afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The content from before the restore, which has failed.
    Old,
    /// The archive's content.
    New,
    /// The content from before the restore, which was applied and rolled back.
    Back,
}

/// A failpoint, named as in `STRONGROOM_FAILPOINT`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) fate: Fate,
    /// Whether it is in a rollback.
    pub(super) rolls_back: bool,
}

const fn old(name: &'static str) -> Place {
    Place { name, fate: Fate::Old, rolls_back: false }
}

const fn new(name: &'static str) -> Place {
    Place { name, fate: Fate::New, rolls_back: false }
}

const fn rolling_back(name: &'static str, fate: Fate) -> Place {
    Place { name, fate, rolls_back: true }
}

/// For three sources: two databases and a set of files, in the order in which a process reaches them.
pub(super) const PLACES: [Place; 20] = [
    old("restore.safety_backup"),
    old("restore.staging#2"),
    old("restore.staged#2"),
    old("files.staging"),
    old("files.added"),
    old("files.kept"),
    old("restore.staged#3"),
    old("restore.swapping"),
    new("restore.swapped"),
    new("restore.swap_recorded"),
    new("restore.swapping#2"),
    new("restore.swapped#2"),
    new("restore.swapping#3"),
    new("restore.swap_recorded#3"),
    new("restore.applied"),
    rolling_back("rollback.checked", Fate::New),
    rolling_back("rollback.begun", Fate::New),
    rolling_back("rollback.done", Fate::Back),
    rolling_back("rollback.begun#2", Fate::Back),
    rolling_back("rollback.done#3", Fate::Back),
];

/// Failpoints at which a successor can also die.
pub(super) const FORWARD: [&str; 3] = ["forward.begun", "forward.staged", "forward.swapped"];
/// The same for a rollback.
pub(super) const BACK: &str = "back.begun";
/// Reached when a restore cannot continue.
pub(super) const POSTPONED: &str = "restore.postponed";

/// Names of all except those within a set of files, which the engine's own tests cover completely.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let name = |place: &Place| place.name.split('#').next().unwrap_or_default();
    let named = PLACES.iter().map(name).filter(|name| !name.starts_with("files."));
    named.chain(FORWARD).chain([BACK, POSTPONED])
}
