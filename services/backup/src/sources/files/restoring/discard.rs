//! The state of a restore, and its removal.

use super::error::FilesError;
use super::marker::Marker;
use super::{FilesTarget, Result};

impl FilesTarget {
    /// The set's state of a restore; `None` if it has nothing of it.
    ///
    /// # Errors
    /// [`FilesError::Foreign`], and errors of the file system.
    pub(crate) fn state_of(&self, id: &str) -> Result<Option<Marker>> {
        let Some(restores) = self.restores()? else { return Ok(None) };
        let own = restores.of(self, id)?;
        Ok(own.map(|own| self.note(&own)).transpose()?.map(|note| note.state))
    }

    /// The same, once no process works on it any more.
    ///
    /// # Errors
    /// As for [`Self::state_of`], and [`FilesError::Locked`] while a process works on it.
    pub(crate) fn final_state_of(&self, id: &str) -> Result<Option<Marker>> {
        let Some(restores) = self.restores()? else { return Ok(None) };
        let _lock = match restores.lock(self) {
            // The last restore was removed a moment ago.
            Err(FilesError::Failed { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(None);
            }
            locked => locked?,
        };
        self.state_of(id)
    }

    /// Removes all our data of a restore: stage, displaced files and marker, and with the last restore the folder for
    /// them. Live files stay as they are. Returns false, without removing anything, if its marker is no longer `only`.
    /// Repeating it is harmless.
    ///
    /// # Errors
    /// [`FilesError::Locked`] while another process works on it, [`FilesError::Defect`] for [`Marker::Swapping`],
    /// because displaced files would be lost, and errors of the file system.
    pub(crate) fn discard(&self, id: &str, only: Marker) -> Result<bool> {
        if only == Marker::Swapping {
            return Err(FilesError::Defect(format!("the restore {id} is half done, and is not discarded")));
        }
        let Some(restores) = self.restores()? else { return Ok(true) };
        let lock = match restores.lock(self) {
            // The last restore was removed a moment ago.
            Err(FilesError::Failed { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(true);
            }
            locked => locked?,
        };
        if let Some(own) = restores.of(self, id)?
            && self.note(&own)?.state != only
        {
            return Ok(false);
        }
        restores.remove(self, id, lock)?;
        Ok(true)
    }
}
