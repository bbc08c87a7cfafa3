//! The error message for an operator, and the exit code.

mod call;
mod encryption;
mod not_done;
mod refused;
mod signer;
mod unready;
mod usage;

use std::process::ExitCode;

pub(crate) use call::CallFailed;
pub(crate) use not_done::NotDone;
pub(crate) use refused::{Local, Refused};
pub(crate) use signer::UnknownSigner;
pub(crate) use unready::Unready;
pub(crate) use usage::WrongUsage;

use serde_json::json;
use strongroom_runtime::status::code_name;
use tonic::Code;

use crate::output::{self, Format, ReaderLeft};

/// An error as one sentence: its contexts and causes, each mentioned once.
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

/// Only the first line starts at the margin: text quoted from an archive or a file cannot start a line.
fn indented(sentence: &str) -> String {
    sentence.trim_end().replace('\n', "\n  ")
}

/// The exit code for wrong usage, as in clap.
const WRONG_USAGE: u8 = 2;

/// The exit code for an archive that is intact, but not signed by any key that the operator trusts.
const UNKNOWN_SIGNER: u8 = 3;

/// The exit code when a service does not answer, or cannot serve now.
const NOT_REACHABLE: u8 = 4;

/// A failed command, as the process reports it.
#[derive(Debug)]
pub(crate) struct Failure {
    sentence: String,
    exit: u8,
    /// The gRPC code; for a failure on this machine, the nearest one.
    code: Code,
    /// Stable, for scripts; empty if there is none.
    reason: String,
}

impl Failure {
    /// A command line that cannot be parsed.
    pub(crate) fn of_usage(sentence: String) -> Self {
        Self { sentence, exit: WRONG_USAGE, code: Code::InvalidArgument, reason: String::new() }
    }

    /// Reports it on standard error: as a sentence for people, as one object on one line for scripts.
    pub(crate) fn report(&self, format: Format) -> ExitCode {
        match format {
            Format::Text => output::message(&format!("error: {}", self.sentence)),
            Format::Json => output::message_json(&self.document()),
        }
        ExitCode::from(self.exit)
    }

    fn document(&self) -> serde_json::Value {
        json!({"code": code_name(self.code), "reason": self.reason, "message": self.sentence})
    }
}

/// An error that keeps the process itself from running.
impl From<strongroom_runtime::Error> for Failure {
    fn from(error: strongroom_runtime::Error) -> Self {
        Self {
            sentence: indented(&error.to_string()),
            exit: 1,
            code: Code::FailedPrecondition,
            reason: String::new(),
        }
    }
}

impl From<&anyhow::Error> for Failure {
    fn from(error: &anyhow::Error) -> Self {
        let call = error.downcast_ref::<CallFailed>();
        let is_away = call.is_some_and(CallFailed::is_away)
            || error.downcast_ref::<Unready>().is_some_and(|unready| unready.is_away);
        let (exit, code) = match is_away {
            true => (NOT_REACHABLE, Code::Unavailable),
            false if error.is::<UnknownSigner>() => (UNKNOWN_SIGNER, Local::UnknownSigner.code()),
            false if error.is::<WrongUsage>() => (WRONG_USAGE, Code::InvalidArgument),
            false if error.is::<NotDone>() => (1, Code::FailedPrecondition),
            false => (1, Local::of(error).map_or(Code::Unknown, Local::code)),
        };
        let reason = match (call, error.downcast_ref::<NotDone>()) {
            (Some(call), _) => call.reason(),
            (None, Some(not_done)) => not_done.reason(),
            (None, None) if exit == UNKNOWN_SIGNER => Local::UnknownSigner.text(),
            (None, None) if exit == 1 => Local::of(error).map_or("", Local::text),
            (None, None) => "",
        };
        Self {
            sentence: indented(&sentence(error)),
            exit,
            code: call.map_or(code, CallFailed::code),
            reason: reason.to_owned(),
        }
    }
}

/// The end of a command, as the process reports it. A reader that has seen enough (`| head`) is not a failure.
pub(crate) fn for_the_operator(result: anyhow::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.is::<ReaderLeft>() => Ok(()),
        Err(error) => Err(Failure::from(&error)),
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
        assert_eq!(failure.sentence, "a table is called x\n  ok: all is well");
    }

    #[test]
    fn a_script_reads_a_code_and_a_reason() {
        let status = strongroom_runtime::status::status(Code::NotFound, "vault", "GONE", "it is gone", &[]);
        let error = anyhow::Error::new(CallFailed::new(&status, "the vault", "http://v:1", "V"));
        let document = Failure::from(&error.context("reading")).document();
        let expected =
            json!({"code": "NOT_FOUND", "reason": "GONE", "message": "reading: it is gone [GONE]"});
        assert_eq!(document, expected);
        let plan = NotDone::new("the table [ALL_GOOD] is cut [ARCHIVE_DAMAGED]", "ARCHIVE_DAMAGED");
        assert_eq!(Failure::from(&anyhow::Error::new(plan).context("restoring")).reason, "ARCHIVE_DAMAGED");
        assert_eq!(Failure::from(&anyhow::anyhow!("the file [ALL_GOOD] exists")).reason, "");
        let usage = Failure::from(&anyhow::Error::new(WrongUsage::new("so not")));
        assert_eq!((usage.exit, code_name(usage.code)), (WRONG_USAGE, "INVALID_ARGUMENT"));
    }
}
