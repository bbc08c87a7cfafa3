//! Limits the parts of an archive that this server holds in memory: less than the format allows, because anybody's
//! archive is read here, and several are read at a time.
//!
//! An archive that exceeds only these limits is not damaged; the error says that it was not verified.

use strongroom_archive::{Error as ArchiveError, Limits};

use super::shown::shown;
use crate::error::{Error, Result};

/// Limits of the parts of an archive that are held in memory as a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemoryLimits {
    /// Maximum bytes of a row.
    pub(crate) row: u64,
    /// Maximum bytes of the manifest. A table's schema entry and the key ring may each have half of this limit.
    pub(crate) manifest: u64,
}

impl MemoryLimits {
    /// The limits for the archive reader.
    pub(super) fn limits(self) -> Limits {
        let format = Limits::V1;
        Limits {
            row_bytes: self.row.min(format.row_bytes),
            manifest_bytes: self.manifest.min(format.manifest_bytes),
            schema_bytes: (self.manifest / 2).min(format.schema_bytes),
            ..format
        }
    }

    /// Distinguishes a limit of this server from one of the format. `table` is the table being read.
    ///
    /// # Errors
    /// [`Error::RowTooLarge`] and [`Error::DocumentTooLarge`].
    pub(crate) fn check<T>(self, read: &strongroom_archive::Result<T>, table: Option<&str>) -> Result<()> {
        let (own, format) = (self.limits(), Limits::V1);
        match read {
            Err(ArchiveError::RowLimit { row, limit, .. }) if own.row_bytes < format.row_bytes => {
                let table = shown(table.unwrap_or_default());
                Err(Error::RowTooLarge { table, row: *row, limit: *limit })
            }
            Err(ArchiveError::Limit { subject, limit, .. }) if is_lower(*limit, &own, &format) => {
                Err(Error::DocumentTooLarge { subject: subject.clone(), limit: *limit })
            }
            _ => Ok(()),
        }
    }
}

/// Whether it is a document limit that is lower here than in the format. No other limit has these values.
fn is_lower(limit: u64, own: &Limits, format: &Limits) -> bool {
    (limit == own.manifest_bytes && limit < format.manifest_bytes)
        || (limit == own.schema_bytes && limit < format.schema_bytes)
}
