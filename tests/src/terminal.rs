//! A command at its own terminal, with scripted answers.

use std::process::Command;

use crate::call::{Finished, finish};
use crate::tool::tool;
use crate::wait::PATIENCE;

/// Runs `command` at a terminal and types the next of `answers` at each prompt; the last one is repeated for all
/// further prompts. The terminal's output is returned as standard error. `None` if Python is missing.
///
/// # Panics
/// If the command does not end.
#[must_use]
pub fn at_a_terminal(command: &Command, answers: &[&str]) -> Option<Finished> {
    let mut python = tool("python3")?;
    python.args(["-c", include_str!("at_a_terminal.py"), &answers.join("\n")]);
    python.arg(command.get_program()).args(command.get_args());
    python.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut finished = finish(&mut python, b"", PATIENCE);
    // The terminal changes line endings.
    finished.stderr = finished.stderr.replace("\r\n", "\n");
    Some(finished)
}
