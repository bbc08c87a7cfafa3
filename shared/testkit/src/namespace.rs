//! Runs a test in its own mount namespace, where a disk can be full or read-only without affecting anything
//! else.

use std::path::PathBuf;
use std::process::Command;

/// The environment variable with the folder of the test that runs in the namespace.
const FOLDER: &str = "STRONGROOM_TEST_FOLDER";

/// Runs the calling test `test` again in a mount namespace in which a shell has executed `script`; `$1` is an
/// empty folder. In the namespace this returns that folder. In the original process it returns `None`, and
/// the test has passed.
///
/// # Panics
/// If the namespace cannot be created, or the test fails in it.
#[must_use]
pub fn in_mount_namespace(test: &str, script: &str) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return Some(folder.into());
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(if rustix::process::geteuid().is_root() { ["-m"].as_slice() } else { &["-r", "-m"] });
    command.args(["sh", "-ec", &format!("{script}; exec \"$2\" --exact \"$3\""), "sh"]);
    command.arg(folder.path()).arg(std::env::current_exe().unwrap()).arg(test);
    let output = command.env(FOLDER, folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let has_passed = output.status.success() && text.contains("1 passed");
    assert!(has_passed, "{text}{}", String::from_utf8_lossy(&output.stderr));
    None
}
