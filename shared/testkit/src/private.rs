//! Files that only their owner can read, as services require for keys and tokens.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Writes a file with mode 0600, replacing its content.
pub fn write_private(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).unwrap();
    file.write_all(contents.as_ref()).unwrap();
}
