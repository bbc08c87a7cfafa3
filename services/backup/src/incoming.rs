//! An archive that a client sends up: received, staged sealed, opened.
//!
//! Whatever reads a client's archive begins here, so that all of it has the same limits and leaves nothing behind.

mod opening;
mod staging;
mod upload;

pub(crate) use opening::{Archive, Opened, open, problem_of};
pub(crate) use staging::{Staged, warn};
pub(crate) use upload::{MAX_CHUNK, Part, Parts, Upload};
