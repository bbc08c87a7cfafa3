//! Restores of several sources as one: databases, a set of files and a service. If a failure occurs before the first
//! source is swapped, all sources go back; afterwards all go forward, even if processes die and sources are temporarily
//! unavailable.

mod away;
mod closed;
mod dying;
mod full_disks;
mod many_files;
mod places;
mod platform;
mod together;

/// The failpoints tested here.
pub(crate) fn places() -> impl Iterator<Item = &'static str> {
    places::names()
}
