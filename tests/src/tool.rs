//! Third-party programs with which operators open an archive or call a service.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::call::{Finished, finish};

/// A command for `name` if it is on the PATH. Otherwise reports that on standard error and returns `None`; in CI (`CI`
/// set) the test fails instead.
///
/// # Panics
/// If it is missing in CI.
#[must_use]
pub fn tool(name: &str) -> Option<Command> {
    if is_installed(name) {
        return Some(Command::new(name));
    }
    assert!(std::env::var_os("CI").is_none(), "CI needs {name}; tests/run brings it");
    report_skip(name);
    None
}

/// The same for tools that may be missing in CI too.
#[must_use]
pub fn optional_tool(name: &str) -> Option<Command> {
    let found = is_installed(name);
    if !found {
        report_skip(name);
    }
    found.then(|| Command::new(name))
}

/// The Python with the package that brings the command `name`; like [`tool`] if there is none.
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

/// The PATH folder that contains it.
pub(crate) fn folder_of(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find(|folder| folder.join(name).is_file())
}

pub(crate) fn report_skip(name: &str) {
    skipped(&format!("{name} is not installed; tests/run brings it"));
}

/// Reports that a test, or part of it, was skipped, and why. Writes past the test harness, which hides the output of
/// passed tests.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
