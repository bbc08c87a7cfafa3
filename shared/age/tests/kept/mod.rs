//! Files for other programs, and vectors for a release: what a test makes is written down where somebody wants it.
//!
//! `STRONGROOM_VECTORS=FOLDER cargo test --workspace --test age --test archive --test hostile` leaves in FOLDER the
//! vectors of the `tests/vectors` of this crate and of the archive's, made anew, and the hostile corpus. Those of a
//! release are not replaced by them.

use std::path::Path;

/// Writes `bytes` to `name` below the folder, if there is one.
pub(crate) fn keep(name: &str, bytes: &[u8]) {
    let Some(folder) = std::env::var_os("STRONGROOM_VECTORS") else { return };
    let path = Path::new(&folder).join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}
