//! `strongroom drill`.

use clap::{Args, Subcommand};

use super::values::{backup_id, drill_id};

const RUN: &str = "\
Examples:
  strongroom drill run
  strongroom drill run 0197…
  strongroom drill run --no-wait -o json | jq -r .id";

#[derive(Debug, Subcommand)]
pub(crate) enum DrillCommand {
    /// Restore a stored backup into a scratch database, check the restored data, and drop the database again.
    ///
    /// Waits until the drill has ended, and prints the checks. The exit code is 0 if every check has passed, 1 if one
    /// has failed or the drill could not run. The drill continues without this command.
    #[command(after_help = RUN)]
    Run(RunDrill),
    /// List drills, newest first.
    List,
    /// Show a drill: its checks, and how long it took.
    Get(GivenDrill),
}

#[derive(Debug, Args)]
pub(crate) struct RunDrill {
    /// The backup's id, as in `strongroom backup list`; by default, the newest one.
    #[arg(value_name = "BACKUP_ID", value_parser = backup_id)]
    pub(crate) backup: Option<String>,
    /// Print the drill as soon as it has begun.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// A drill.
#[derive(Debug, Args)]
pub(crate) struct GivenDrill {
    /// The drill's id, as in `strongroom drill list`.
    #[arg(value_name = "DRILL_ID", value_parser = drill_id)]
    pub(crate) id: String,
}
