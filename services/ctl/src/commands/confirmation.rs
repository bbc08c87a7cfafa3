//! A destructive command asks on a terminal. Elsewhere nobody can answer, so it needs `--yes`.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use anyhow::{Result, ensure};

use crate::cli::Confirmation;
use crate::error::{Local, Refused, WrongUsage};
use crate::output::{is_answerable, message, prompt};

/// Maximum length of an answer.
const LONGEST: u64 = 256;

/// Whether to ask: not with `--yes`.
///
/// # Errors
/// [`WrongUsage`] if nobody can be asked.
pub(super) fn is_needed(given: &Confirmation) -> Result<bool> {
    ensure!(
        given.yes || is_possible(),
        WrongUsage::new(
            "this needs --yes: standard input or standard error is not a terminal, so nobody can be asked"
        )
    );
    Ok(!given.yes)
}

/// Whether somebody sees the messages and can answer.
pub(super) fn is_possible() -> bool {
    io::stdin().is_terminal() && is_answerable()
}

/// Shows what will be lost, and waits for the word `yes`.
///
/// # Errors
/// For any other answer.
pub(super) fn ask(loss: &str, action: &str) -> Result<()> {
    ask_for("yes", loss, action)
}

/// [`ask`] for a word of the caller's choice.
///
/// # Errors
/// As [`ask`].
pub(super) fn ask_for(word: &str, loss: &str, action: &str) -> Result<()> {
    message(loss);
    prompt(&format!("type {word} to {action}: "));
    let mut answer = String::new();
    io::stdin().lock().take(LONGEST).read_line(&mut answer)?;
    ensure!(answer.trim() == word, Refused::new(Local::NotConfirmed, "not confirmed; nothing was changed"));
    Ok(())
}
