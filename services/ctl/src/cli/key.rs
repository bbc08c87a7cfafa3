//! `strongroom key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::SignedDuration;

use crate::time::length;

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List every version of every key, with its state.
    List,
    /// Create a key for other services to encrypt with. It never seals what the vault itself keeps.
    Create {
        /// Lower-case letters, digits and dashes, such as gateway.
        name: String,
    },
    /// Make a new version of a key the primary one. The older versions go on opening what they sealed.
    Rotate {
        /// The key, as `key list` shows it.
        name: String,
    },
    /// Re-encrypt the vault's rows under the primary versions, while everything goes on.
    ///
    /// The work is the vault's: it goes on when this command is stopped and after a restart of the vault.
    /// Running the command again joins it.
    Reencrypt {
        /// At most so many rows a second; no limit without it.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
        rate: Option<i32>,
    },
    /// Count the values that each version holds, and show the archives that need it.
    ///
    /// The vault's own tables are counted now; the columns of other services are as last reported.
    Census {
        /// Only this key.
        name: Option<String>,
    },
    /// Take a version out of use; `enable` undoes it. Refused while something needs the version.
    Disable(Version),
    /// Let a disabled version open again what it sealed.
    Enable(Version),
    /// Schedule the destruction of a disabled version. Afterwards nobody opens what it sealed.
    Destroy {
        #[command(flatten)]
        version: Version,
        /// How long `undo` can take it back: such as 7d or 12h, at least 1h. The vault's default is 7d.
        #[arg(long, value_name = "TIME", value_parser = length)]
        after: Option<SignedDuration>,
    },
    /// Take a scheduled destruction back.
    Undo(Version),
    /// Let the refused retirement of somebody else go through. They then repeat their command.
    ///
    /// You must be somebody else than who asked, not have your token from them, and have had it before they
    /// asked.
    Approve {
        /// The request that the refusal named, or that `key requests` shows.
        request: String,
    },
    /// List retirements that were refused and may be approved, newest first.
    Requests,
    /// Make a new root key. Whoever has it and a database or an archive has everything: keep it apart.
    NewRoot {
        /// Where to write it (mode 0600). An existing file is never replaced.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Export the public halves of the key that signs archives: one line each, the version and 64 hex digits.
    ///
    /// Keep them where archives are verified, apart from the archives. They are no secret, but must be yours.
    ExportPublic {
        /// Where to write them instead of standard output; an existing file is replaced.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Version {
    /// The version: 16 hex digits, as `key list` shows it.
    pub(crate) kid: String,
}
