//! The destination of a token's secret: a file that only its owner can read, or standard output, once.
//!
//! A secret that cannot be written is lost, and a renewed token has no other secret left. So the file is opened before
//! the vault is asked.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Error, Result, ensure};
use serde_json::json;
use strongroom_api::json::to_json;
use strongroom_api::vault::v1::Token;

use super::{TOKEN, details};
use crate::cli::SecretFile;
use crate::files::sync_folder_of;
use crate::out_file::refuse_existing;
use crate::output::{Format, key_values, message};

/// A destination for a secret that has not arrived yet.
pub(super) enum Place {
    Printed,
    File(NewFile),
}

/// A file that gets its name when it is complete.
pub(super) struct NewFile {
    file: File,
    new: PathBuf,
    path: PathBuf,
}

impl Place {
    /// # Errors
    /// When nothing can be written there.
    pub(super) fn open(wanted: SecretFile) -> Result<Self> {
        let Some(path) = wanted.out.filter(|out| out != Path::new("-")) else { return Ok(Self::Printed) };
        refuse_existing(&path, wanted.force)?;
        let exists = path.symlink_metadata().is_ok();
        let is_file = path.metadata().is_ok_and(|known| known.is_file());
        ensure!(!exists || is_file, "{} is not a regular file", path.display());
        Ok(Self::File(NewFile::create(path)?))
    }

    /// Writes or prints the secret of `token`, along with the token.
    pub(super) fn put(self, token: &Token, secret: &str, format: Format) -> Result<()> {
        let mut document = json!({ "token": to_json(TOKEN, token).map_err(Error::msg)? });
        match self {
            Self::Printed => {
                document["secret"] = secret.into();
                format.document(&document, || details(token) + &key_values([("secret", secret)]))?;
                message("keep the secret now: it is not shown again");
            }
            Self::File(file) => {
                let out = file.finish(secret)?.display().to_string();
                document["out"] = out.as_str().into();
                format.document(&document, || details(token) + &key_values([("out", out.as_str())]))?;
            }
        }
        Ok(())
    }
}

impl NewFile {
    fn create(path: PathBuf) -> Result<Self> {
        let mut name = path.clone().into_os_string();
        name.push(".new");
        let new = PathBuf::from(name);
        // The leftover of a killed command.
        let _ = std::fs::remove_file(&new);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new);
        let file = file.with_context(|| format!("cannot create {}", new.display()))?;
        Ok(Self { file, new, path })
    }

    fn finish(mut self, secret: &str) -> Result<PathBuf> {
        let failed = |path: &Path| format!("cannot write {}", path.display());
        let written = writeln!(self.file, "{secret}").and_then(|()| self.file.sync_all());
        written.with_context(|| failed(&self.new))?;
        std::fs::rename(&self.new, &self.path).with_context(|| failed(&self.path))?;
        sync_folder_of(&self.path)?;
        Ok(std::mem::take(&mut self.path))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // The temporary name is gone once the file has its own name.
        let _ = std::fs::remove_file(&self.new);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn open(path: &Path, force: bool) -> Result<Place> {
        Place::open(SecretFile { out: Some(path.to_owned()), force })
    }

    #[test]
    fn a_secret_is_its_owner_s_and_replaces_nothing_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.token");
        let put = |force| match open(&path, force) {
            Ok(Place::File(file)) => file.finish("srt_x").map(drop),
            Ok(Place::Printed) => unreachable!("a file was named"),
            Err(error) => Err(error),
        };
        put(false).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "srt_x\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(put(false).unwrap_err().to_string().contains("--force"));
        put(true).unwrap();
        drop(open(&path, true).unwrap());
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing is left beside it");
        assert!(open(&folder.path().join("no/a.token"), false).is_err(), "before the vault is asked");
        assert!(open(folder.path(), true).is_err());
    }
}
