//! Compares a live file with the archive's.
//!
//! A file of the same length is always read and hashed: equal time and length prove nothing, and a restore must be
//! correct.

use std::io::{self, Read as _};
use std::path::Path;

use super::FilesTarget;
use super::content::digest;
use super::facts::{Facts, Seen};
use super::wanted::{SET_ID, WantedFile};
use crate::error::Error;
use crate::sources::files::root::{Found, is_elsewhere};

impl FilesTarget {
    /// The facts of a live file that equals the wanted one; `None` if it differs.
    pub(super) fn equal(&self, wanted: &WantedFile, found: &Found) -> Result<Option<Facts>, Error> {
        if found.bytes != wanted.bytes {
            return Ok(None);
        }
        let path = super::place::as_path(wanted.path.as_bytes());
        let file = match self.root.open_file(path) {
            Ok(file) => file,
            // Removed or replaced by now: in any case another file.
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_elsewhere(&error) => return Ok(None),
            Err(error) => return Err(self.unreadable(path, error)),
        };
        let facts = || rustix::fs::fstat(&file).map_err(|error| self.unreadable(path, error.into()));
        let before = Seen::of(&facts()?);
        if !before.kind.is_file() || !has_facts(wanted, &before.facts) {
            return Ok(None);
        }
        // One byte more detects a file that is growing, however fast.
        let content = (&file).take(wanted.bytes.saturating_add(1));
        let (_, digest) = digest(content).map_err(|error| self.unreadable(path, error))?;
        let after = Seen::of(&facts()?);
        let is_equal = digest == wanted.sha256 && after.facts == before.facts;
        Ok(is_equal.then_some(after.facts))
    }

    pub(super) fn unreadable(&self, below: &Path, source: io::Error) -> Error {
        Error::FileUnreadable { name: self.name.clone(), path: self.path.join(below), source }
    }
}

/// Bits that a restore does not set may be present or not.
fn has_facts(wanted: &WantedFile, live: &Facts) -> bool {
    let has_mode = wanted.mode.is_none_or(|mode| live.mode == mode || live.mode == mode & !SET_ID);
    let has_time = wanted.modified_at.is_none_or(|time| time_parts(time) == (live.seconds, live.nanos));
    live.bytes == wanted.bytes && has_mode && has_time
}

/// In the form of a file system: nanoseconds count forwards, even before 1970.
pub(super) fn time_parts(time: jiff::Timestamp) -> (i64, i64) {
    let nanos = time.as_nanosecond();
    (nanos.div_euclid(1_000_000_000) as i64, nanos.rem_euclid(1_000_000_000) as i64)
}
