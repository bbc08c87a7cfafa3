//! A command at a terminal of its own, with somebody who answers.

use std::process::Command;

use crate::call::{Finished, finish};
use crate::tool::tool;
use crate::wait::PATIENCE;

/// Runs `command` at a terminal, and types one of `answers` after another where it asks, the last one ever again. What the
/// terminal shows is the standard error of the answer. `None` where Python is missing.
///
/// # Panics
/// When it does not end.
#[must_use]
pub fn at_a_terminal(command: &Command, answers: &[&str]) -> Option<Finished> {
    let mut python = tool("python3")?;
    python.args(["-c", include_str!("at_a_terminal.py"), &answers.join("\n")]);
    python.arg(command.get_program()).args(command.get_args());
    python.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut finished = finish(&mut python, b"", PATIENCE);
    // The terminal's own line endings.
    finished.stderr = finished.stderr.replace("\r\n", "\n");
    Some(finished)
}
