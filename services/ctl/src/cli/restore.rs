//! `strongroom restore`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;
use strongroom_api::backup::v1::{ChosenRows, RestoreMode};

use super::confirmation::Confirmation;
use super::values::{chosen_rows, restore_id};
use crate::time::length;

const PLAN: &str = "\
Examples:
  strongroom restore plan 0197…
  strongroom restore plan 0197… --mode replace
  strongroom restore plan 0197… --mode replace --sources gateway,recordings
  strongroom restore plan 0197… --mode replace --tables endpoints,endpoint_keys
  strongroom restore plan 0197… --mode merge --rows endpoints=7,9
  strongroom restore plan backup.zip.age --create-tables -o json | jq -r .id";

const APPLY: &str = "\
Examples:
  strongroom restore apply 0198… --confirm gateway
  strongroom restore apply 0198… --confirm gateway --max-pause 10s";

const LIST: &str = "\
Examples:
  strongroom restore list
  strongroom restore list -o json | jq -r '.[] | select(.state == \"RESTORE_STATE_APPLIED\") | .id'";

const ROLLBACK: &str = "\
Examples:
  strongroom restore rollback 0198…
  strongroom restore rollback 0198… --discard-changes --yes";

#[derive(Debug, Subcommand)]
pub(crate) enum RestoreCommand {
    /// Show what a restore would do, and get the id for applying it. Nothing is changed.
    ///
    /// The archive is verified first, then compared with its target databases, directories and services, row by row and
    /// file by file. The plan shows the rows and files that would be created, changed, removed and kept, who would have to
    /// wait, and the reasons for a refusal.
    ///
    /// The service reads a stored backup itself. A file is uploaded, and kept there, sealed, for a day; a broken
    /// connection is resumed a few times. The exit code is 1 if the restore is refused; 3 if the only problem is the
    /// signature: no key known to the vault or given by --signer made it.
    #[command(after_help = PLAN)]
    Plan(PlanRestore),
    /// Apply a plan, while the applications keep running.
    ///
    /// Unless the plan's mode is into-empty, a backup is stored first; if that fails, nothing is restored. Everything
    /// is then staged beside the live data. Only when all sources are ready does the first one change: in one
    /// transaction for a database or a service, by one rename for each file. A failure before that leaves everything as
    /// it was, and the exit code is 1. After that, the restore continues by itself until all sources have changed, even
    /// if one of them is unavailable for a while.
    ///
    /// On a terminal it shows what will be lost and, without --confirm, asks for the target's name: the source's, or
    /// the application's if there are several sources. Elsewhere, a plan that removes or changes rows needs --confirm.
    /// The restore continues without this command: Ctrl-C only ends the waiting, and `restore get` shows the outcome.
    #[command(after_help = APPLY)]
    Apply(ApplyRestore),
    /// List restores and plans, newest first.
    #[command(after_help = LIST)]
    List,
    /// Show a restore: its plan, what it has done so far, what the databases hold now, and what to do next.
    Get(GivenRestore),
    /// Roll back a restore, within a day: the rows and files from before it return. A restore that cannot continue can
    /// be rolled back too.
    ///
    /// If a table was restored several times, the newest restore goes first. The rollback is refused if rows were
    /// changed since the restore, unless --discard-changes is given. On a terminal it shows what will be lost and asks;
    /// elsewhere it needs --yes.
    #[command(after_help = ROLLBACK)]
    Rollback(RollbackRestore),
}

/// A restore.
#[derive(Debug, Args)]
pub(crate) struct GivenRestore {
    /// The restore's id, as in `strongroom restore list`.
    #[arg(value_name = "ID", value_parser = restore_id)]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct PlanRestore {
    /// An archive file, sealed or plain (- is standard input), or the id of a stored backup.
    #[arg(value_name = "FILE|-|BACKUP_ID")]
    pub(crate) archive: PathBuf,
    /// What happens to the existing rows of the tables.
    #[arg(long, value_name = "M", value_enum, default_value_t)]
    pub(crate) mode: Mode,
    /// The sources to restore together: databases, sets of files and services. By default, those of the chosen tables; if
    /// no tables are chosen, all in the archive, but the vault only if it has no credentials.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) sources: Vec<String>,
    /// Only these tables, by their names in the archive, and a set of files only if --sources names it. By default, all
    /// tables and files of the sources.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) tables: Vec<String>,
    /// Restore only these rows, by primary key. Other tables are left out unless --tables names them. A key of several
    /// columns is a JSON array: --rows 'members=["7","de"]'. Can be given for several tables. Not with --mode replace.
    #[arg(long, value_name = "TABLE=KEY,KEY", value_parser = chosen_rows)]
    pub(crate) rows: Vec<ChosenRows>,
    /// Create tables that do not exist. Only with --mode into-empty.
    #[arg(long)]
    pub(crate) create_tables: bool,
    #[command(flatten)]
    pub(crate) accepted: Accepted,
    /// The deployment that the archive must come from, if that is not the vault's own.
    #[arg(long, value_name = "ID")]
    pub(crate) from_deployment: Option<String>,
    /// For the vault: bring these credentials back as they are in the archive, although they were deleted, deactivated
    /// or rotated since.
    #[arg(long = "revive", value_name = "CREDENTIAL_ID")]
    pub(crate) revive: Vec<String>,
    /// For an empty vault: keep its own deployment id, instead of taking over that of the archive.
    #[arg(long, conflicts_with = "from_deployment")]
    pub(crate) as_copy: bool,
    /// Trust these signing keys besides the vault's own: a file as `key export-public` writes it; - is standard input.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) signer: Option<PathBuf>,
}

/// Effects that a plan would otherwise refuse.
#[derive(Debug, Args)]
pub(crate) struct Accepted {
    /// Let foreign keys remove or change rows of other tables that reference rows to be removed.
    #[arg(long = "accept-cascade")]
    pub(crate) cascade: bool,
    /// Let readers of a SQLite database that is not in WAL mode wait.
    #[arg(long = "accept-pause")]
    pub(crate) pause: bool,
    /// Restore sealed values that no key opens, as they are.
    #[arg(long = "accept-undecryptable")]
    pub(crate) undecryptable: bool,
}

/// Modes as typed on the command line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// The tables must be empty.
    #[default]
    IntoEmpty,
    /// Rows whose key exists already stay as they are; all others are added.
    Merge,
    /// The tables hold exactly the archive's rows afterwards.
    Replace,
}

impl From<Mode> for RestoreMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::IntoEmpty => Self::IntoEmpty,
            Mode::Merge => Self::Merge,
            Mode::Replace => Self::Replace,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ApplyRestore {
    /// The plan's id, as `restore plan` prints it.
    #[arg(value_name = "PLAN_ID", value_parser = restore_id)]
    pub(crate) id: String,
    /// The name of the target, as the plan prints it.
    #[arg(long, value_name = "TARGET")]
    pub(crate) confirm: Option<String>,
    /// Give up, with nothing changed, rather than hold writers longer than this: 500ms, 10s, 2m.
    #[arg(long, value_name = "T", value_parser = length)]
    pub(crate) max_pause: Option<SignedDuration>,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackRestore {
    #[command(flatten)]
    pub(crate) restore: GivenRestore,
    /// Discard the changes to rows that were changed since the restore.
    #[arg(long)]
    pub(crate) discard_changes: bool,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
}
