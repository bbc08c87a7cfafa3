//! Writes files made by tests to a folder: inputs for other programs, and vectors for a release.
//!
//! `STRONGROOM_VECTORS=FOLDER cargo test --workspace --test age --test archive --test hostile` writes to
//! FOLDER newly made vectors, like those in `tests/vectors` of this crate and of the archive crate, and the
//! hostile corpus. The vectors of a release are not replaced by them.

use std::path::Path;

/// Writes `bytes` to `name` in the folder, if a folder is set.
pub(crate) fn keep(name: &str, bytes: &[u8]) {
    let Some(folder) = std::env::var_os("STRONGROOM_VECTORS") else { return };
    let path = Path::new(&folder).join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}
