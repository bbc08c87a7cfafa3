//! Files that hold keys, tokens, or addresses with passwords: read only if nobody else can read them.
//!
//! The rule is that of PostgreSQL's client for private keys (libpq, `sslkey`). A file owned by root may be readable by
//! a group (0640 or less), because Kubernetes mounts a Secret that way for a pod with `fsGroup` (owned by root, 0440);
//! any other file must be private to its owner (0600 or less). The modes of pipes and terminals do not matter.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Larger than any key, token, certificate chain or URL.
const MAX_BYTES: u64 = 1 << 20;
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a file of at most 1 MiB whose mode keeps others out. The caller must wipe the bytes that it does not keep.
///
/// # Errors
/// [`Error::File`] when it cannot be read or is longer, [`Error::Exposed`] when others could read or write it.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |source| Error::File { action: "read", path: path.to_owned(), source };
    // The check covers the open file, not the name, which could lead elsewhere a moment later.
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_file() {
        check(path, metadata.mode(), metadata.uid())?;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(MAX_BYTES)).unwrap_or(0) + 1);
    (&mut file).take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(failed(std::io::Error::other("it is longer than 1 MiB")));
    }
    Ok(bytes)
}

/// [`read`] as text, without the byte order mark with which some editors start a file.
///
/// # Errors
/// As [`read`], and [`Error::File`] when it is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map(without_mark).map_err(|_| Error::File {
        action: "read",
        path: path.to_owned(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not text (UTF-8)"),
    })
}

/// In place: a copy would be another secret to wipe.
fn without_mark(mut text: String) -> String {
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    text
}

fn check(path: &Path, mode: u32, owner: u32) -> Result<()> {
    let allowed = if owner == 0 { 0o640 } else { 0o600 };
    let mode = mode & 0o777;
    // Execute bits are harmless.
    if mode & 0o666 & !allowed == 0 {
        return Ok(());
    }
    Err(Error::Exposed { path: PathBuf::from(path), mode })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn modes_are_judged_by_the_owner() {
        let fits = |mode, owner| check(Path::new("f"), mode, owner).is_ok();
        for mode in [0o400, 0o600, 0o700, 0o100_600] {
            assert!(fits(mode, 1000) && fits(mode, 0), "{mode:o}");
        }
        for mode in [0o440, 0o640] {
            assert!(!fits(mode, 1000), "{mode:o} of a user");
            assert!(fits(mode, 0), "{mode:o} of root, as Kubernetes mounts a Secret");
        }
        for mode in [0o644, 0o604, 0o620, 0o660, 0o602, 0o666, 0o777] {
            assert!(!fits(mode, 1000) && !fits(mode, 0), "{mode:o}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_by_name_mode_and_remedy() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "secret").unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let message = read(file.path()).unwrap_err().to_string();
        let name = file.path().to_str().unwrap();
        for part in [name, "0644", &format!("chmod 600 {name}")] {
            assert!(message.contains(part), "{message}");
        }
        assert!(!message.contains("secret"));
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_text(file.path()).unwrap(), "secret");
    }

    #[test]
    fn a_link_is_judged_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("f"), folder.path().join("l"));
        std::fs::write(&file, "x").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(read(&link), Err(Error::Exposed { mode: 0o644, .. })));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read(&link).unwrap(), b"x");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (written, read) in [("\u{feff}key\r\n", "key\r\n"), ("key", "key"), ("\u{feff}", "")] {
            std::fs::write(file.path(), written).unwrap();
            assert_eq!(read_text(file.path()).unwrap(), read);
        }
    }

    #[test]
    fn what_is_too_long_or_no_text_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![b'x'; (1 << 20) + 1]).unwrap();
        assert!(read(file.path()).unwrap_err().to_string().contains("longer than 1 MiB"));
        std::fs::write(file.path(), [0xff]).unwrap();
        assert!(read_text(file.path()).unwrap_err().to_string().contains("UTF-8"));
    }
}
