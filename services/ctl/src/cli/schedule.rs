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
    /// Make backups again and again, as `backup create` does, and delete old ones.
    ///
    /// Runs act with your permissions, as long as you have them. What they make is sealed as the server is configured.
    #[command(after_help = CREATE)]
    Create(Box<CreateSchedule>),
    /// List schedules: when each ran last, and when it will run next.
    List,
    /// Show a schedule.
    Get(ScheduleName),
    /// Make a backup of a schedule now, and wait until it is stored. When the next run is due does not change.
    Run(RunSchedule),
    /// Let no run be due until `schedule resume`. One that goes on is not stopped.
    Pause(ScheduleName),
    /// Let runs be due again. From now on they act with your permissions.
    Resume(ScheduleName),
    /// Show which backups of a schedule would be deleted now, and why the others stay. Nothing is changed.
    #[command(after_help = RETENTION)]
    Retention(Retention),
    /// Delete a schedule. Its backups stay until somebody deletes them, or a new schedule of the same name does.
    Delete(DeleteSchedule),
}

/// One of them.
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
    /// The time zone of those fields, such as Europe/Berlin.
    #[arg(long, value_name = "Z", default_value = "UTC")]
    pub(crate) timezone: String,
    /// Begin each run up to so much later, so that not all schedules begin at once.
    #[arg(long, value_name = "T", value_parser = length)]
    pub(crate) jitter: Option<SignedDuration>,
    /// Cancel a run that takes longer.
    #[arg(long, value_name = "T", value_parser = length)]
    pub(crate) timeout: Option<SignedDuration>,
    /// Which backups of the schedule stay: the newest of so many days, weeks and months, and at least min. All of them where
    /// nothing is given.
    #[arg(long, value_name = "daily=N,weekly=N,monthly=N,min=N", value_parser = keep)]
    pub(crate) keep: Option<RetentionPolicy>,
    /// Verify each stored backup of the schedule again after so long, such as 7d.
    #[arg(long, value_name = "T", value_parser = length)]
    pub(crate) verify_every: Option<SignedDuration>,
    /// Restore the newest backup of the schedule into a scratch database after so long, such as 30d, and check it.
    #[arg(long, value_name = "T", value_parser = length)]
    pub(crate) drill_every: Option<SignedDuration>,
    #[command(flatten)]
    pub(crate) tables: TableSelection,
    /// A destination of the server's configuration; may be repeated. All of them where none is given.
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
    /// What another retention would do.
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
