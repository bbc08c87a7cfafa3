//! `strongroom key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::SignedDuration;

use super::confirmation::Confirmation;
use super::values::kid;
use crate::time::length;

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List every version of every key, with its state.
    List,
    /// Create a key for other services to encrypt with. It never seals the vault's own values.
    Create {
        /// Lower-case letters, digits and dashes, such as gateway.
        name: String,
    },
    /// Create a new version of a key and make it primary. Older versions still open the values that they sealed.
    Rotate {
        /// The key, as `key list` shows it.
        name: String,
    },
    /// Re-encrypt the vault's rows under the primary versions, online.
    ///
    /// The vault does the work: it continues when this command is stopped, and after a restart of the vault. Running the
    /// command again attaches to it.
    Reencrypt {
        /// Limit to N rows a second; unlimited by default.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
        rate: Option<i32>,
    },
    /// Count the values sealed by each version, and list the archives that need it.
    ///
    /// The vault counts its own tables now; counts of other services' columns are as last reported.
    Census {
        /// Only this key.
        name: Option<String>,
    },
    /// Disable a version; `enable` undoes that. Refused while anything needs the version.
    Disable(Version),
    /// Let a disabled version open its values again.
    Enable(Version),
    /// Schedule the destruction of a disabled version. Afterwards nobody can open the values that it sealed.
    Destroy {
        #[command(flatten)]
        version: Version,
        /// How long `undo` stays possible: such as 7d or 12h, at least 1h. The vault's default is 7d.
        #[arg(long, value_name = "TIME", value_parser = length)]
        after: Option<SignedDuration>,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Cancel a scheduled destruction.
    Undo(Version),
    /// Approve another person's refused retirement. They then repeat their command.
    ///
    /// You must not be the requester; see `person`. Both of you must have been enrolled before the request was made.
    Approve {
        /// The request's id, from the refusal or from `key requests`.
        request: String,
    },
    /// List refused retirements that can be approved, newest first.
    Requests,
    /// Create a new root key. With it, a database or an archive reveals everything: store it apart from both.
    NewRoot {
        /// Where to write it (mode 0600). An existing file is never replaced.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Export the public halves of the key that signs archives: one line per version, its id and 64 hex digits.
    ///
    /// Store them where archives are verified, apart from the archives. They are not secret, but nobody else must be
    /// able to replace them.
    ExportPublic {
        /// Where to write them; - is standard output, the default.
        #[arg(long, value_name = "FILE|-")]
        out: Option<PathBuf>,
        /// Replace FILE if it exists.
        #[arg(long, requires = "out")]
        force: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Version {
    /// The id of the version: 16 hex digits; see `key list`.
    #[arg(value_parser = kid)]
    pub(crate) kid: String,
}
