//! On real folders. `inside` is the set; `outside` is what a restore may never reach.

mod again;
mod crashes;
mod fixture;
mod hostile;
mod large;
mod meanwhile;
mod modes;
mod refusals;
mod undone;

use fixture::{Archive, OTHER, RESTORE, Set, file};
