//! Results on standard output, as text or JSON; everything else on standard error.

mod channels;
mod json;
mod table;

use std::fmt::Display;

use anyhow::{Result, anyhow};
use clap::ValueEnum;
use serde::Serialize;

pub(crate) use channels::{
    DataOut, ReaderLeft, data_out, is_answerable, message, message_json, print, print_data, prompt,
};
/// Escapes line feeds too.
pub(crate) use strongroom_runtime::printable;
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
            Self::Text => print(&text()),
            Self::Json => print_json(&to_json(full_name, message)?),
        }
    }

    /// Prints one of many messages on one line, as it arrives.
    pub(crate) fn line<M: prost::Message>(
        self,
        full_name: &str,
        message: &M,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        match self {
            Self::Text => print(&format!("{}\n", text())),
            Self::Json => channels::print_json(&format!("{}\n", to_json(full_name, message)?)),
        }
    }

    /// Prints a list of messages: a table, or one array.
    pub(crate) fn list<M: prost::Message>(
        self,
        full_name: &str,
        messages: &[M],
        table: impl FnOnce() -> Table,
    ) -> Result<()> {
        match self {
            Self::Text => print(&table().to_string()),
            Self::Json => {
                let array: Result<Vec<_>> =
                    messages.iter().map(|message| to_json(full_name, message)).collect();
                print_json(&array?)
            }
        }
    }

    /// Prints a document that is not a protobuf message: `text` for people, `document` for scripts.
    pub(crate) fn document(self, document: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        match self {
            Self::Text => print(&text()),
            Self::Json => print_json(document),
        }
    }
}

/// A 64-bit integer in a document: a text, as in proto3's JSON, because programs in many languages read numbers only up
/// to 2⁵³ exactly.
pub(crate) fn int64(number: impl Display) -> serde_json::Value {
    number.to_string().into()
}

fn to_json<M: prost::Message>(full_name: &str, message: &M) -> Result<serde_json::Value> {
    strongroom_api::json::to_json(full_name, message).map_err(|error| anyhow!(error))
}

fn print_json(document: &impl Serialize) -> Result<()> {
    let mut json = serde_json::to_string_pretty(document)?;
    json.push('\n');
    channels::print_json(&json)
}
