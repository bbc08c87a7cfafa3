//! `strongroom audit`.

use clap::{Args, Subcommand};

use crate::time::Since;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List events, newest first.
    List(ListEvents),
    /// Show the newest event's place in the log.
    Head,
}

#[derive(Debug, Args)]
pub(crate) struct ListEvents {
    /// One event, or a family of them with a trailing star: 'credential.*'.
    #[arg(long)]
    pub(crate) event: Option<String>,
    /// Only what this actor did: token:<id>, or system.
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Only what was done to this: a credential's id, a file name, …
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Only events since then: an age such as 30d, 12h or 15m, or a time in RFC 3339.
    #[arg(long, value_name = "T")]
    pub(crate) since: Option<Since>,
    /// Only the newest N.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
}
