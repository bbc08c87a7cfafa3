//! What there is of a restore, and the end of it.

use super::error::FilesError;
use super::marker::Marker;
use super::{FilesTarget, Result};

impl FilesTarget {
    /// What the set knows of a restore; `None` when it has nothing of it.
    ///
    /// # Errors
    /// [`FilesError::Foreign`], and what the file system says.
    pub(crate) fn state_of(&self, id: &str) -> Result<Option<Marker>> {
        let Some(restores) = self.restores()? else { return Ok(None) };
        let own = restores.of(self, id)?;
        Ok(own.map(|own| self.note(&own)).transpose()?.map(|note| note.state))
    }

    /// The same once nobody works on it any more.
    ///
    /// # Errors
    /// As of [`Self::state_of`], and [`FilesError::Locked`] while somebody does.
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

    /// Removes everything of ours that belongs to a restore: stage, displaced files and marker, and with the last restore the
    /// folder for them. Live files stay as they are. False, and nothing is removed, if its marker is not `only` any more. Doing
    /// it twice is harmless.
    ///
    /// # Errors
    /// [`FilesError::Locked`] while another process works on it, [`FilesError::Defect`] for [`Marker::Swapping`], with which
    /// displaced files would be lost, and what the file system says.
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
