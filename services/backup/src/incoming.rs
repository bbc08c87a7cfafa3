//! An archive that a client uploads: receives it, stages it sealed, opens it.
//!
//! Everything that reads a client's archive begins here, so the same limits apply everywhere and no file is left
//! behind.

mod admission;
mod memory;
mod opening;
mod pace;
mod plain;
mod processor;
mod shown;
mod staging;
mod upload;

pub(crate) use admission::{Slot, UploadLimits, Uploads};
pub(crate) use memory::MemoryLimits;
pub(crate) use opening::{Archive, Opened, Unopened, open, problem_of};
pub(crate) use processor::{Allowance, Processor};
pub(crate) use shown::shown;
#[cfg(test)]
pub(crate) use staging::staged;
pub(crate) use staging::{Place, Staged, warn};
pub(crate) use upload::{MAX_CHUNK, Part, Parts, Upload};
