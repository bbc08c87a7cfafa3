//! `strongroom audit`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use jiff::SignedDuration;

use super::archive::ArchiveKeys;
use super::confirmation::Confirmation;
use crate::time::{Since, length};

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List events, newest first.
    List(ListEvents),
    /// Show the head: number and MAC of the newest event. Stored elsewhere (-o json), it lets `verify` detect a
    /// truncated log.
    Head,
    /// Print events as they are committed, one per line, until interrupted. With -o json: one object per line.
    Watch(WatchEvents),
    /// Recompute the log's chain and print its problems, one per line; the exit code is 1 if there are any.
    Verify {
        /// A head that was stored outside the vault: the output of `audit head -o json`, an archive (a sealed one with
        /// --identity or --passphrase-file, or opened by the vault), or its manifest.json. Without
        /// --head, nobody notices if the newest events and the vault's own head were both removed. - is standard input.
        #[arg(long, value_name = "FILE|-")]
        head: Option<PathBuf>,
        #[command(flatten)]
        keys: ArchiveKeys,
    },
    /// Remove old events and leave a checkpoint, so that the rest still verifies. There is no undo.
    Prune(PruneEvents),
}

#[derive(Debug, Args)]
pub(crate) struct ListEvents {
    /// One event, or a family of them with a trailing star: 'credential.*'.
    #[arg(long)]
    pub(crate) event: Option<String>,
    /// Only events of this actor: `token:ID`, or `system`.
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Only events with this target: a credential's id, a file name, …
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Only events since this time: an age such as 2w, 30d, 12h or 15m, or a time in RFC 3339.
    #[arg(long, value_name = "T")]
    pub(crate) since: Option<Since>,
    /// Only the newest N.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct WatchEvents {
    /// One event, or a family of them with a trailing star: 'credential.*'.
    #[arg(long)]
    pub(crate) event: Option<String>,
    /// Begin after the event with this number; 0 begins with the oldest. By default only new events are printed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) after: Option<i64>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("oldest").required(true)))]
pub(crate) struct PruneEvents {
    /// Remove events before this time: an age such as 52w, or a time in RFC 3339, at least a day ago.
    #[arg(long, value_name = "T", group = "oldest")]
    pub(crate) before: Option<Since>,
    /// Remove events older than this age: such as 90d or 52w, at least 1d.
    #[arg(long, value_name = "AGE", value_parser = length, group = "oldest")]
    pub(crate) older_than: Option<SignedDuration>,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
}
