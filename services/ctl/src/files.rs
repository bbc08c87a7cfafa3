//! Files on this machine. Those that hold keys and tokens are readable by their owner only, and complete or absent.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use strongroom_runtime::secret_file;

/// Creates a folder (mode 0700) with its parents; leaves an existing one unchanged.
pub(crate) fn create_private_dir(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot create the folder {}", path.display()))
}

/// Creates `path` (mode 0600) with `text` and a line feed, durably.
///
/// # Errors
/// When it exists: an overwritten key would be lost.
pub(crate) fn create_private(path: &Path, text: &str) -> Result<()> {
    create_with(path, &[text.as_bytes(), b"\n"])
}

/// [`create_private`] with exactly these bytes.
pub(crate) fn create_private_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    create_with(path, &[bytes])
}

fn create_with(path: &Path, parts: &[&[u8]]) -> Result<()> {
    let failed = || format!("cannot create {}", path.display());
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(failed)?;
    let written = parts.iter().try_for_each(|part| file.write_all(part));
    written.and_then(|()| file.sync_all()).with_context(failed)?;
    sync_folder_of(path)
}

/// Writes `text` and a line feed to `path` (mode 0600), replacing any existing file.
pub(crate) fn replace_private(path: &Path, text: &str) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let _ = std::fs::remove_file(&new);
    create_private(&new, text)?;
    std::fs::rename(&new, path).with_context(|| format!("cannot replace {}", path.display()))?;
    sync_folder_of(path)
}

/// The token in `path`.
pub(crate) fn read_token(path: &Path) -> Result<String> {
    let text = secret_file::read_text(path)
        .with_context(|| format!("cannot read the token in {}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// The folder that `path` is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a new or renamed name survive a crash.
pub(crate) fn sync_folder_of(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("cannot write the folder {} to disk", folder.display()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn private_files_are_private_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        create_private(&path, "a").unwrap();
        assert!(create_private(&path, "b").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n");
        replace_private(&path, "c").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "c\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_bare_name_is_in_the_working_folder() {
        assert_eq!(folder_of(Path::new("f")), Path::new("."));
        assert_eq!(folder_of(Path::new("d/f")), Path::new("d"));
    }
}
