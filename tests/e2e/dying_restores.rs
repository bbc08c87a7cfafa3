//! Backup services that die while they restore a database, take a restore back, or import tables ([`importing`]): the database is wholly old or wholly new,
//! whichever process is there next says which, nothing of ours is left where nothing was restored, and another restore works.
//!
//! A debug build ends itself with SIGKILL at the place that `STRONGROOM_FAILPOINT` names.

pub(crate) mod databases;
mod importing;
mod places;
pub(crate) mod restoring;
mod severed;
pub(crate) mod site;

/// Places in the source that are tested here.
pub(crate) fn places() -> impl Iterator<Item = &'static str> {
    places::names().chain(importing::IMPORTING.iter().map(|(name, _)| *name))
}
