//! Tests on real folders. `inside` is the set; `outside` must never be reached by a restore.

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
