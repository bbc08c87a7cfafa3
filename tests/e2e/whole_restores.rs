//! Restores of several sources as one: databases, a set of files and a service. Before the first source is new, everything
//! goes back; afterwards everything goes forward, whoever dies and whatever is away for a while.

mod away;
mod closed;
mod dying;
mod full_disks;
mod many_files;
mod places;
mod platform;
mod together;

/// Places in the source that are tested here.
pub(crate) fn places() -> impl Iterator<Item = &'static str> {
    places::names()
}
