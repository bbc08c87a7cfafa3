//! Results on standard output, as text or JSON; everything else on standard error.

mod printable;
mod table;

use std::fmt;
use std::io::{ErrorKind, Write as _};

use anyhow::{Context as _, Result, anyhow};
use clap::ValueEnum;
use serde::Serialize;

pub(crate) use printable::printable;
pub(crate) use table::{Table, key_values, line};

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and lines, for people.
    #[default]
    Text,
    /// Proto3 JSON, for scripts; lists are one array.
    Json,
}

impl Format {
    /// Prints one message: `full_name` is its protobuf name.
    pub(crate) fn message<M: prost::Message>(
        self,
        full_name: &str,
        message: &M,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        match self {
            Self::Text => print(text().as_bytes()),
            Self::Json => print_json(&to_json(full_name, message)?),
        }
    }

    /// Prints one message of many on one line, as it comes.
    pub(crate) fn line<M: prost::Message>(
        self,
        full_name: &str,
        message: &M,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        let line = match self {
            Self::Text => text(),
            Self::Json => to_json(full_name, message)?.to_string(),
        };
        print(format!("{line}\n").as_bytes())
    }

    /// Prints a list of messages: a table, or one array.
    pub(crate) fn list<M: prost::Message>(
        self,
        full_name: &str,
        messages: &[M],
        table: impl FnOnce() -> Table,
    ) -> Result<()> {
        match self {
            Self::Text => print(table().to_string().as_bytes()),
            Self::Json => {
                let array: Result<Vec<_>> =
                    messages.iter().map(|message| to_json(full_name, message)).collect();
                print_json(&array?)
            }
        }
    }

    /// Prints a document of our own: `text` for people, `document` for scripts.
    pub(crate) fn document(self, document: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        match self {
            Self::Text => print(text().as_bytes()),
            Self::Json => print_json(document),
        }
    }
}

fn to_json<M: prost::Message>(full_name: &str, message: &M) -> Result<serde_json::Value> {
    strongroom_api::json::to_json(full_name, message).map_err(|error| anyhow!(error))
}

fn print_json(document: &impl Serialize) -> Result<()> {
    let mut json = serde_json::to_vec_pretty(document)?;
    json.push(b'\n');
    print(&json)
}

/// Whoever read standard output has closed it.
#[derive(Debug)]
pub(crate) struct ReaderLeft;

impl fmt::Display for ReaderLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output was closed")
    }
}

impl std::error::Error for ReaderLeft {}

/// Writes `bytes` to standard output, and out of every buffer.
///
/// # Errors
/// [`ReaderLeft`] when nobody reads any more.
pub(crate) fn print(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderLeft.into()),
        other => other.context("cannot write to standard output"),
    }
}

/// Says something to the person, beside the result. Nobody listening is no reason to fail.
pub(crate) fn message(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
