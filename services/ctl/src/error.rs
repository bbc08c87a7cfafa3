//! What an operator reads when something failed, and the exit code.

mod call;
mod encryption;
mod signer;
mod unready;
mod usage;

use std::fmt;

pub(crate) use call::CallFailed;
pub(crate) use signer::UnknownSigner;
pub(crate) use unready::Unready;
pub(crate) use usage::WrongUsage;

use crate::output::ReaderLeft;

/// An error as one sentence: its contexts and causes, each said once.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // Many error types already print their source.
        if sentence.contains(&cause) {
            continue;
        }
        if !sentence.is_empty() {
            sentence.push_str(": ");
        }
        sentence.push_str(&cause);
    }
    sentence
}

/// Only the first line begins at the margin: an archive or a file that is quoted cannot add a line of its own.
fn indented(sentence: &str) -> String {
    sentence.trim_end().replace('\n', "\n  ")
}

/// The exit code of a command line that makes no sense here, as clap's.
const WRONG_USAGE: u8 = 2;

/// The exit code of an archive that is intact, but not signed by any key that the operator trusts.
const UNKNOWN_SIGNER: u8 = 3;

/// The exit code when a service does not answer, or cannot serve now.
const NOT_REACHABLE: u8 = 4;

/// How a command failed, for the process.
#[derive(Debug)]
pub(crate) struct Failure {
    sentence: String,
    code: u8,
}

impl Failure {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// What keeps the process itself from running.
impl From<strongroom_runtime::Error> for Failure {
    fn from(error: strongroom_runtime::Error) -> Self {
        Self { sentence: indented(&error.to_string()), code: 1 }
    }
}

fn code_of(error: &anyhow::Error) -> u8 {
    let is_away = error.downcast_ref::<Unready>().is_some_and(|unready| unready.is_away)
        || error.downcast_ref::<CallFailed>().is_some_and(CallFailed::is_away);
    match is_away {
        true => NOT_REACHABLE,
        false if error.is::<UnknownSigner>() => UNKNOWN_SIGNER,
        false if error.is::<WrongUsage>() => WRONG_USAGE,
        false => 1,
    }
}

/// The end of a command as the process reports it. A reader that has seen enough (`| head`) is no failure.
pub(crate) fn for_the_operator(result: anyhow::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.is::<ReaderLeft>() => Ok(()),
        Err(error) => Err(Failure { sentence: indented(&sentence(&error)), code: code_of(&error) }),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let cause = std::io::Error::other("disk full");
        let error = anyhow::Error::new(cause).context("cannot write f: disk full").context("export");
        assert_eq!(sentence(&error), "export: cannot write f: disk full");
    }

    #[test]
    fn a_quoted_text_cannot_add_a_line() {
        let error = anyhow::anyhow!("a table is called x\nok: all is well\n");
        let Err(failure) = for_the_operator(Err(error)) else { unreachable!() };
        assert_eq!(failure.to_string(), "a table is called x\n  ok: all is well");
    }
}
