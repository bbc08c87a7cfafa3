//! Gatwy's connection export (version 1): groups and connections of one user, without passwords and keys.
//!
//! Gatwy's own import skips entries that it does not understand. Here either every entry is imported, or the
//! file is refused with the first invalid entry.

mod checks;
mod entries;
mod order;
#[cfg(test)]
mod tests;

use std::io::Read;

use serde::Deserialize;

pub use entries::{Connection, Group, Id};

use crate::error::{Error, Result};

/// Maximum file size. An entry takes about 250 bytes, so this allows more than 60,000 connections of one
/// user.
const MOST_BYTES: u64 = 16 << 20;

/// Maximum length of an error message, in bytes.
const MOST_TEXT: usize = 600;

/// An export that was read and validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connections {
    /// Groups, each after its parent.
    pub groups: Vec<Group>,
    /// Connections, in file order.
    pub connections: Vec<Connection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "version")]
    _version: u64,
    #[serde(rename = "exportedAt")]
    _exported_at: Option<String>,
    groups: Vec<Group>,
    connections: Vec<Connection>,
}

/// Read first, because a later version may have other fields.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

impl Connections {
    /// Reads a whole file of at most 16 MiB.
    ///
    /// # Errors
    /// [`Error::FutureConnections`] for another version, [`Error::Connections`] naming the entry, [`Error::Read`].
    pub fn read(input: impl Read) -> Result<Self> {
        let mut bytes = Vec::new();
        input.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(Error::Read)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(wrong(format!("has more than {MOST_BYTES} bytes")));
        }
        let versioned: Versioned = serde_json::from_slice(&bytes).map_err(|error| form(&error))?;
        if versioned.version != 1 {
            return Err(Error::FutureConnections(versioned.version));
        }
        let file: File = serde_json::from_slice(&bytes).map_err(|error| form(&error))?;
        checks::check(&file.groups, &file.connections)?;
        Ok(Self { groups: order::parents_first(file.groups)?, connections: file.connections })
    }
}

fn form(error: &serde_json::Error) -> Error {
    if error.is_eof() {
        return wrong("ends early: export it again".to_owned());
    }
    wrong(format!("is not in the form of version 1: {error}"))
}

/// `problem` is a verb phrase. It can repeat part of the file.
fn wrong(mut problem: String) -> Error {
    problem.truncate(problem.floor_char_boundary(MOST_TEXT));
    Error::Connections(problem)
}
