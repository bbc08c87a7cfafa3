//! The location of the built programs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The checkout that these tests belong to.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is inside the repository")
}

/// A command for a program of this workspace: `strongroom`, `strongroom-vault` or `strongroom-backup`, from the same
/// build as the running test. It does not inherit the caller's `STRONGROOM_…` variables, and by default uses a free
/// port for metrics and probes.
///
/// # Panics
/// If the program was not built: `cargo test` alone builds no programs of other crates.
#[must_use]
pub fn program(name: &str) -> Command {
    let path = built(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace --bins`, or tests/run",
        path.display()
    );
    let mut command = Command::new(path);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("STRONGROOM_") {
            command.env_remove(variable);
        }
    }
    command.env("STRONGROOM_ADMIN__LISTEN", "127.0.0.1:0");
    command
}

/// Test executables are in `deps` beside the programs; the bench is in the same folder as the programs.
fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().expect("a program is in a folder");
    let profile = if folder.ends_with("deps") { folder.parent().expect("target/PROFILE") } else { folder };
    profile.join(name)
}
