//! A test in a mount namespace of its own, where a disk may be full or read-only without anybody else's noticing.

use std::path::PathBuf;
use std::process::Command;

/// Where the test that runs in the namespace finds its folder.
const FOLDER: &str = "STRONGROOM_TEST_FOLDER";

/// Runs the test called `test`, the caller, once more in a mount namespace in which the shell has done `script`: `$1` is an
/// empty folder. There it returns that folder, and `None` to the first caller, whose test has then passed.
///
/// # Panics
/// When the namespace cannot be made, or the test fails there.
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
