//! Backup services that die while they restore a database, roll a restore back, or import tables ([`importing`]): the
//! database has either all old or all new rows, the next process reports which, nothing of ours is left where nothing
//! was restored, and another restore works.
//!
//! A debug build kills itself with SIGKILL at the failpoint that `STRONGROOM_FAILPOINT` names.

pub(crate) mod databases;
mod importing;
mod places;
pub(crate) mod restoring;
mod severed;
pub(crate) mod site;

/// The failpoints tested here.
pub(crate) fn places() -> impl Iterator<Item = &'static str> {
    places::names().chain(importing::IMPORTING.iter().map(|(name, _)| *name))
}
