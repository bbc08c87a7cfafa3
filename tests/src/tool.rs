//! Other people's programs: the ones operators open an archive with or call a service by.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::call::{Finished, finish};

/// A command for `name` when it is on the PATH. Otherwise `None`, and a sentence on standard error;
/// in CI (`CI` set) the test fails instead.
///
/// # Panics
/// In CI, when it is missing.
#[must_use]
pub fn tool(name: &str) -> Option<Command> {
    if is_installed(name) {
        return Some(Command::new(name));
    }
    assert!(std::env::var_os("CI").is_none(), "CI needs {name}; tests/run brings it");
    report_skip(name);
    None
}

/// The same for what CI may lack too.
#[must_use]
pub fn optional_tool(name: &str) -> Option<Command> {
    let found = is_installed(name);
    if !found {
        report_skip(name);
    }
    found.then(|| Command::new(name))
}

/// The Python that has the package which brings the command `name`; as [`tool`] where there is none.
#[must_use]
pub fn python_with(name: &str) -> Option<Command> {
    tool(name)?;
    folder_of(name).map(|folder| Command::new(folder.join("python")))
}

/// Runs a tool with `arguments` to its end; it must succeed.
pub fn run(mut tool: Command, arguments: &[&str]) -> Finished {
    finish(tool.args(arguments), b"", Duration::from_secs(120)).succeeded()
}

fn is_installed(name: &str) -> bool {
    folder_of(name).is_some()
}

/// The folder of the PATH that has it.
pub(crate) fn folder_of(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find(|folder| folder.join(name).is_file())
}

pub(crate) fn report_skip(name: &str) {
    skipped(&format!("{name} is not installed; tests/run brings it"));
}

/// Says that a test, or a part of it, was skipped and why: past the test harness, which keeps to itself what a passed test
/// prints.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
