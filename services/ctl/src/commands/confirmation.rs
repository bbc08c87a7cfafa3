//! A destructive command asks on a terminal. Elsewhere nobody can answer, so `--yes` must have been given.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use anyhow::{Result, ensure};

use crate::error::WrongUsage;
use crate::output::{is_answerable, message, prompt};

/// The longest answer that is read.
const LONGEST: u64 = 256;

/// Whether to ask: not where `yes` was given.
///
/// # Errors
/// [`WrongUsage`] where nobody can be asked.
pub(super) fn is_needed(yes: bool) -> Result<bool> {
    let terminal = io::stdin().is_terminal() && is_answerable();
    ensure!(
        yes || terminal,
        WrongUsage::new(
            "this needs --yes: standard input or standard error is no terminal, so nobody can be asked"
        )
    );
    Ok(!yes)
}

/// Shows what will be lost, and waits for the word `yes`.
///
/// # Errors
/// For any other answer.
pub(super) fn ask(loss: &str, action: &str) -> Result<()> {
    message(loss);
    prompt(&format!("type yes to {action}: "));
    let mut answer = String::new();
    io::stdin().lock().take(LONGEST).read_line(&mut answer)?;
    ensure!(answer.trim() == "yes", "not confirmed; nothing was changed");
    Ok(())
}
