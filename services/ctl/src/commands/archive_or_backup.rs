//! An argument that is a file on this machine or a backup in the service's catalogue.

use std::path::Path;

use anyhow::Result;

use crate::cli::backup_id;
use crate::error::{Local, Refused};
use crate::input::is_stdin;

/// The given id; `None` for a file, even if its name looks like an id.
///
/// # Errors
/// When it is neither.
pub(super) fn id_of(archive: &Path) -> Result<Option<String>> {
    if is_stdin(archive) || archive.exists() {
        return Ok(None);
    }
    let id = archive.to_str().and_then(|text| backup_id(text).ok());
    let sentence = || {
        let given = archive.display();
        format!(
            "{given} is neither a file nor the id of a stored backup (a UUID; `strongroom backup list` shows them)"
        )
    };
    Ok(Some(id.ok_or_else(|| Refused::new(Local::FileNotFound, sentence()))?))
}
