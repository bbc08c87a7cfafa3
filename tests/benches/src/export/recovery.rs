//! The key to which both sides seal, and the proof that their output is complete.
//!
//! A backup is worth its time only if its last row can be read again: one file of each kind is opened with the stock
//! `age` and unpacked, outside the measured time.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The start of a row in JSON or COPY text; no other line of a backup starts like this.
const ROW: &str = r"^(\[?\{|[0-9]+\t)";

/// A recovery key made by `age-keygen`.
pub(crate) struct Recovery {
    key: PathBuf,
    /// Its public half, `age1…`.
    pub(crate) recipient: String,
}

impl Recovery {
    /// Creates a key whose private half stays in `folder`.
    pub(crate) fn create(folder: &Path) -> Self {
        let key = folder.join("recovery.key");
        let made = Command::new("age-keygen").arg("-o").arg(&key).stderr(Stdio::null()).status();
        assert!(made.unwrap().success());
        let text = std::fs::read_to_string(&key).unwrap();
        let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
        Self { key, recipient }
    }

    /// Opens `file` and returns the path of the plain file.
    pub(super) fn open(&self, file: &Path) -> PathBuf {
        let opened = file.with_extension("opened");
        let mut age = Command::new("age");
        age.arg("-d").arg("-i").arg(&self.key).arg("-o").arg(&opened).arg(file);
        assert!(age.status().unwrap().success(), "age cannot open {}", file.display());
        opened
    }
}

/// Panics unless the output of `unpack` has exactly `rows` rows.
pub(super) fn check(mut unpack: Command, rows: u64) {
    let mut unpacking = unpack.stdout(Stdio::piped()).spawn().unwrap();
    let text = unpacking.stdout.take().unwrap();
    let counted = Command::new("grep").args(["-cP", ROW]).stdin(text).output().unwrap();
    assert!(unpacking.wait().unwrap().success(), "{unpack:?} failed");
    assert_eq!(String::from_utf8_lossy(&counted.stdout).trim(), rows.to_string(), "{unpack:?}");
}
