//! The stock `age` program opens files sealed here, and vice versa.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use strongroom_age::{Identity, IdentityFile, Passphrase, PublicKey, Recipients, lock_identity};
use tempfile::TempDir;

use crate::{CHUNK, IDENTITY, identities, noise, open, open_file, recovery, seal, two_recipients};

const PASSPHRASE: &str = "correct horse battery";

/// Runs a command on a new terminal, because age only prompts on a terminal, and answers every prompt.
const AT_A_TERMINAL: &str = include_str!("../../../../tests/src/at_a_terminal.py");

struct Folder(TempDir);

impl Folder {
    /// `None` if `age` is not installed; `tests/run` counts the message on standard error. In CI (`CI` set)
    /// this is a failure.
    fn with_age() -> Option<Self> {
        if let Err(error) = Command::new("age").arg("--version").output() {
            assert!(std::env::var_os("CI").is_none(), "CI needs age, which cannot be started: {error}");
            // Bypasses the test harness, which hides the output of passed tests.
            let _ =
                writeln!(std::io::stderr(), "skipped: age cannot be started ({error}); tests/run brings it");
            return None;
        }
        Some(Self(tempfile::tempdir().unwrap()))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The file that `age` writes with these arguments.
    fn age(&self, arguments: &[&str], input: &Path) -> Vec<u8> {
        self.run("age", &[], arguments, input)
    }

    /// The same, with the passphrase typed at every prompt.
    fn age_with_passphrase(&self, arguments: &[&str], input: &Path) -> Vec<u8> {
        self.run("python3", &["-c", AT_A_TERMINAL, PASSPHRASE, "age"], arguments, input)
    }

    fn run(&self, program: &str, before: &[&str], arguments: &[&str], input: &Path) -> Vec<u8> {
        // age creates no file for empty output, and would leave an older file in place.
        let out = self.put("out", b"");
        let mut command = Command::new(program);
        command.args(before).args(arguments).arg("-o").arg(&out).arg(input).stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        fs::read(&out).unwrap()
    }
}

#[test]
fn age_opens_a_sealed_file_with_the_identity() {
    let Some(folder) = Folder::with_age() else { return };
    let identity = folder.put("recovery.txt", IDENTITY.as_bytes());
    for plaintext in [b"a secret".to_vec(), Vec::new(), noise(CHUNK), noise(2 * CHUNK), noise(3 * CHUNK + 1)]
    {
        let sealed = folder.put("a.zip.age", &seal(&plaintext, &two_recipients()));
        let opened = folder.age(&["-d", "-i", identity.to_str().unwrap()], &sealed);
        assert!(opened == plaintext, "{} bytes", plaintext.len());
    }
}

#[test]
fn age_opens_a_passphrase() {
    let Some(folder) = Folder::with_age() else { return };
    let passphrase = Recipients::Passphrase(Passphrase::new(PASSPHRASE).unwrap());
    let sealed = folder.put("a.zip.age", &seal(b"a secret", &passphrase));
    assert_eq!(folder.age_with_passphrase(&["-d"], &sealed), b"a secret");
}

#[test]
fn age_opens_with_an_identity_locked_here() {
    let Some(folder) = Folder::with_age() else { return };
    let public = PublicKey::X25519(recovery().recipient());
    let locked = lock_identity(&public, &recovery().to_text(), Passphrase::new(PASSPHRASE).unwrap()).unwrap();
    let locked = folder.put("recovery.age", &locked);
    let sealed = folder.put("a.zip.age", &seal(b"a secret", &two_recipients()));
    let opened = folder.age_with_passphrase(&["-d", "-i", locked.to_str().unwrap()], &sealed);
    assert_eq!(opened, b"a secret");
}

#[test]
fn what_age_seals_opens_here() {
    let Some(folder) = Folder::with_age() else { return };
    let recipient = recovery().recipient().to_string();
    for length in [0, 1, CHUNK, 2 * CHUNK, 2 * CHUNK + 1] {
        let plaintext = noise(length);
        let sealed = folder.age(&["-r", &recipient], &folder.put("a.zip", &plaintext));
        assert_eq!(open(&sealed, &identities()).unwrap(), plaintext);
        assert_eq!(open_file(&sealed, &identities()).unwrap(), plaintext);
    }
}

#[test]
fn what_age_locks_opens_here() {
    let Some(folder) = Folder::with_age() else { return };
    let locked = folder.age_with_passphrase(&["-p"], &folder.put("recovery.txt", IDENTITY.as_bytes()));
    let passphrase = Passphrase::new(PASSPHRASE).unwrap();
    let IdentityFile::Locked(locked) = IdentityFile::read(&locked).unwrap() else { panic!("not locked") };
    let opened = locked.unlock(&passphrase).unwrap();
    let [Identity::X25519(identity)] = opened.as_slice() else { panic!("{opened:?}") };
    assert_eq!(identity.recipient(), recovery().recipient());
}
