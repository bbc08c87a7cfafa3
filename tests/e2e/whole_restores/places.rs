//! Where a process can die while it restores several sources, and what must become of the whole.

/// What all sources hold afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// What they held before the restore; it has failed.
    Old,
    /// What the archive holds.
    New,
    /// What they held before the restore, which was applied and taken back.
    Back,
}

/// A place, as in `STRONGROOM_FAILPOINT`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) fate: Fate,
    /// It comes in a rollback.
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

/// Of three sources: two databases and a set of files, in the order in which a process comes through them.
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

/// Where whoever goes on can die too.
pub(super) const FORWARD: [&str; 3] = ["forward.begun", "forward.staged", "forward.swapped"];
/// The same of a rollback.
pub(super) const BACK: &str = "back.begun";
/// What is reached where a restore cannot go on.
pub(super) const POSTPONED: &str = "restore.postponed";

/// But those within a set of files, of which the tests of the engine try every one.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let name = |place: &Place| place.name.split('#').next().unwrap_or_default();
    let named = PLACES.iter().map(name).filter(|name| !name.starts_with("files."));
    named.chain(FORWARD).chain([BACK, POSTPONED])
}
