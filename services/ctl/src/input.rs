//! Files that commands read. The name `-` means standard input, and can occur once in a command.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::error::WrongUsage;

/// Whether an argument has taken standard input.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether `path` stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// The name of the file at `path` in messages.
pub(crate) fn name(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() }
}

/// Takes standard input for one argument.
///
/// # Errors
/// [`WrongUsage`] if another argument of the command has taken it.
pub(crate) fn take_stdin() -> Result<()> {
    let was_taken = TAKEN.swap(true, Ordering::Relaxed);
    ensure!(!was_taken, WrongUsage::new("only one argument can be -: standard input is read once"));
    Ok(())
}

/// Opens `path` to read it once from its beginning. Standard input is not written to disk.
///
/// # Errors
/// When it cannot be opened; the message names it.
pub(crate) fn stream(path: &Path) -> Result<Box<dyn Read>> {
    if is_stdin(path) {
        take_stdin()?;
        return Ok(Box::new(io::stdin()));
    }
    Ok(Box::new(File::open(path).with_context(|| format!("cannot open {}", path.display()))?))
}

/// An archive or another file that is read in any order. Standard input is copied into a temporary file (mode 0600),
/// which is removed when the value is dropped.
#[derive(Debug)]
pub(crate) struct Input {
    name: String,
    path: PathBuf,
    _copy: Option<TempDir>,
}

impl Input {
    /// The file at `path`; standard input for `-`.
    ///
    /// # Errors
    /// When standard input is a terminal, was taken before, or cannot be copied. A missing file is detected when it is
    /// opened.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let name = name(path);
        if !is_stdin(path) {
            return Ok(Self { name, path: path.to_owned(), _copy: None });
        }
        let stdin = io::stdin();
        let usage =
            WrongUsage::new("standard input is a terminal: pipe the file into the command, or give its name");
        ensure!(!stdin.is_terminal(), usage);
        take_stdin()?;
        let folder = tempfile::tempdir().context("cannot create a temporary folder for standard input")?;
        let path = folder.path().join("stdin");
        copy(&mut stdin.lock(), &path)
            .with_context(|| format!("cannot copy standard input to {}", path.display()))?;
        Ok(Self { name, path, _copy: Some(folder) })
    }

    /// Its name in messages.
    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    /// The path of its bytes.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it at its beginning.
    ///
    /// # Errors
    /// When it cannot be opened; the message names it.
    pub(crate) fn open(&self) -> Result<File> {
        File::open(&self.path).with_context(|| format!("cannot open {}", self.name))
    }
}

fn copy(from: &mut impl Read, path: &Path) -> io::Result<u64> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::copy(from, &mut file)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn standard_input_is_taken_once() {
        take_stdin().unwrap();
        let error = take_stdin().unwrap_err();
        assert!(error.is::<WrongUsage>(), "{error}");
        assert!(stream(Path::new("-")).is_err());
        assert!(stream(Path::new("/dev/null")).is_ok());
    }

    #[test]
    fn a_missing_file_is_named_when_it_is_opened() {
        let input = Input::of(Path::new("no/such.zip")).unwrap();
        assert_eq!(input.open().unwrap_err().to_string(), "cannot open no/such.zip");
        assert_eq!(name(Path::new("-")), "standard input");
    }
}
