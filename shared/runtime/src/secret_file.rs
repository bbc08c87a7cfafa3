//! Files that hold keys, tokens, or addresses with passwords.

use std::path::Path;

use crate::error::{Error, Result};

/// The text of a file. The caller wipes what it does not keep.
///
/// # Errors
/// [`Error::File`] when it cannot be read or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|source| Error::File {
        action: "read",
        path: path.to_owned(),
        source,
    })
}
