//! The key that both sides seal to, and the proof that what they wrote is whole.
//!
//! A backup is worth its time only when its last row can be read again: one file of each kind is opened with the
//! stock `age` and unpacked, outside the clock.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A row of JSON or of COPY text begins so; no other line of a backup does.
const ROW: &str = r"^(\[?\{|[0-9]+\t)";

/// A recovery key, as `age-keygen` makes it.
pub(crate) struct Recovery {
    key: PathBuf,
    /// Its public half, `age1…`.
    pub(crate) recipient: String,
}

impl Recovery {
    /// A new one whose private half stays in `folder`.
    pub(crate) fn create(folder: &Path) -> Self {
        let key = folder.join("recovery.key");
        let made = Command::new("age-keygen").arg("-o").arg(&key).stderr(Stdio::null()).status();
        assert!(made.unwrap().success());
        let text = std::fs::read_to_string(&key).unwrap();
        let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
        Self { key, recipient }
    }

    /// Opens `file`; where the plain one is.
    pub(super) fn open(&self, file: &Path) -> PathBuf {
        let opened = file.with_extension("opened");
        let mut age = Command::new("age");
        age.arg("-d").arg("-i").arg(&self.key).arg("-o").arg(&opened).arg(file);
        assert!(age.status().unwrap().success(), "age cannot open {}", file.display());
        opened
    }
}

/// Panics unless the text that `unpack` prints has exactly `rows` rows.
pub(super) fn check(mut unpack: Command, rows: u64) {
    let mut unpacking = unpack.stdout(Stdio::piped()).spawn().unwrap();
    let text = unpacking.stdout.take().unwrap();
    let counted = Command::new("grep").args(["-cP", ROW]).stdin(text).output().unwrap();
    assert!(unpacking.wait().unwrap().success(), "{unpack:?} failed");
    assert_eq!(String::from_utf8_lossy(&counted.stdout).trim(), rows.to_string(), "{unpack:?}");
}
