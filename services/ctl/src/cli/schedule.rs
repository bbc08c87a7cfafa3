//! `strongroom schedule`.

use clap::{Args, Subcommand};
use jiff::SignedDuration;

use super::backup::TableSelection;
use super::confirmation::Confirmation;
use super::values::keep;
use crate::time::length;
use strongroom_api::backup::v1::RetentionPolicy;

const CREATE: &str = "\
Examples:
  strongroom schedule create nightly --cron '0 3 * * *' --timezone Europe/Berlin --keep daily=7,weekly=4,monthly=12
  strongroom schedule create checked --cron @daily --keep daily=7 --verify-every 7d --drill-every 30d
  strongroom schedule create hourly --cron @hourly --tables orders,payments --keep daily=2,min=24
  strongroom schedule create weekly --cron '0 4 * * sun' --include audit --jitter 30m --timeout 6h";

const RETENTION: &str = "\
Examples:
  strongroom schedule retention nightly
  strongroom schedule retention nightly --keep daily=14,weekly=8";

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Make backups repeatedly, as `backup create` does, and delete old ones.
    ///
    /// Runs act with your permissions, as long as you have them. Their backups are sealed as the server is configured.
    #[command(after_help = CREATE)]
    Create(Box<CreateSchedule>),
    /// List schedules: when each ran last, and when it will run next.
    List,
    /// Show a schedule.
    Get(ScheduleName),
    /// Run a schedule now, and wait until the backup is stored. This does not change when the next run is due.
    Run(RunSchedule),
    /// Stop new runs until `schedule resume`. A run in progress is not stopped.
    Pause(ScheduleName),
    /// Start new runs again. From now on they act with your permissions.
    Resume(ScheduleName),
    /// Show which backups of a schedule would be deleted now, and why the others stay. Nothing is changed.
    #[command(after_help = RETENTION)]
    Retention(Retention),
    /// Delete a schedule. Its backups stay until they are deleted by hand, or by a new schedule of the same name.
    Delete(DeleteSchedule),
}

/// A schedule.
#[derive(Debug, Args)]
pub(crate) struct ScheduleName {
    /// The schedule's name, as in `strongroom schedule list`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct CreateSchedule {
    /// 1 to 63 of a-z, 0-9 and -, beginning with a letter.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// When to run: minute, hour, day of the month, month, day of the week, as in crontab(5); or @hourly, @daily, @weekly,
    /// @monthly.
    #[arg(long, value_name = "C")]
    pub(crate) cron: String,
    /// The time zone of --cron, such as Europe/Berlin.
    #[arg(long, value_name = "Z", default_value = "UTC")]
    pub(crate) timezone: String,
    /// Delay each run by up to this time, so that schedules do not all begin at once.
    #[arg(long, value_name = "T", value_parser = length)]
    pub(crate) jitter: Option<SignedDuration>,
    /// Cancel a run that takes longer than this.
    #[arg(long, value_name = "T", value_parser = length)]
    pub(crate) timeout: Option<SignedDuration>,
    /// Keep the newest backup of each of the last N days, weeks and months, and never fewer than `min`. By default, all
    /// backups of the schedule are kept.
    #[arg(long, value_name = "daily=N,weekly=N,monthly=N,min=N", value_parser = keep)]
    pub(crate) keep: Option<RetentionPolicy>,
    /// Verify each stored backup of the schedule again at this interval, such as 7d.
    #[arg(long, value_name = "T", value_parser = length)]
    pub(crate) verify_every: Option<SignedDuration>,
    /// Restore the newest backup of the schedule into a scratch database at this interval, such as 30d, and check it.
    #[arg(long, value_name = "T", value_parser = length)]
    pub(crate) drill_every: Option<SignedDuration>,
    #[command(flatten)]
    pub(crate) tables: TableSelection,
    /// A destination of the server's configuration; may be repeated. By default, all of them.
    #[arg(long = "destination", value_name = "NAME", value_delimiter = ',')]
    pub(crate) destinations: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunSchedule {
    /// The schedule's name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Print the backup as soon as it has begun.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Retention {
    /// The schedule's name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Show what this retention would do instead.
    #[arg(long, value_name = "daily=N,weekly=N,monthly=N,min=N", value_parser = keep)]
    pub(crate) keep: Option<RetentionPolicy>,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteSchedule {
    /// The schedule's name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
}
