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
    /// Show what a restore would do, and get the id by which it is applied. Nothing is changed.
    ///
    /// The archive is verified first, then compared with the databases, directories and services that it would be restored into,
    /// row by row and file by file. The plan says what would be created, changed, removed and kept, who would have to wait, and
    /// what stands against it.
    ///
    /// A stored backup is read by the service. A file is uploaded, and kept there, sealed, for a day; a connection that
    /// breaks is resumed a few times. Exit code 1 if the restore is refused, 3 if the only reason is that no key that the
    /// vault knows, or that --signer names, has signed the archive.
    #[command(after_help = PLAN)]
    Plan(PlanRestore),
    /// Do what a plan says, while the applications go on.
    ///
    /// Except into empty tables, a backup is stored first; if that fails, nothing is restored. Everything is then staged beside
    /// what is live, and only when all sources are ready does the first one change: in one transaction for a database or a
    /// service, by one rename for each file. Whatever fails before leaves everything as it was, and the exit code is 1. From
    /// then on the restore goes on by itself until all sources are new, also when one of them is away for a while.
    ///
    /// On a terminal it shows what will be lost and asks for the target's name where --confirm is not given: the source's, or the
    /// application's where there are several sources. Elsewhere a plan that removes or changes rows needs --confirm. The restore does not need this command to stay: Ctrl-C ends the waiting,
    /// and `restore get` tells how it went.
    #[command(after_help = APPLY)]
    Apply(ApplyRestore),
    /// List restores and plans, newest first.
    #[command(after_help = LIST)]
    List,
    /// Show a restore: its plan, what it has done so far, what the databases hold now, and what to do next.
    Get(GivenRestore),
    /// Take a restore back, within a day: the rows and files from before it return. So does one that cannot go on.
    ///
    /// Of several restores of a table, the newest goes first. It is refused where rows were changed since the restore, unless
    /// --discard-changes is given. On a terminal it shows what will be lost and asks; elsewhere it needs --yes.
    #[command(after_help = ROLLBACK)]
    Rollback(RollbackRestore),
}

/// One of them.
#[derive(Debug, Args)]
pub(crate) struct GivenRestore {
    /// The restore's id, as in `strongroom restore list`.
    #[arg(value_name = "ID", value_parser = restore_id)]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct PlanRestore {
    /// The file of an archive, sealed or plain (- is standard input); or the id of a stored backup.
    #[arg(value_name = "FILE|-|BACKUP_ID")]
    pub(crate) archive: PathBuf,
    /// What becomes of the rows that the tables have.
    #[arg(long, value_name = "M", value_enum, default_value_t)]
    pub(crate) mode: Mode,
    /// The sources to restore, as one: databases, sets of files and services. All that the archive has where none is given.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) sources: Vec<String>,
    /// Only these tables, by the names that they have in the archive, and no files. All of the sources where none is given.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) tables: Vec<String>,
    /// Of a table only the rows with these primary keys, and no other tables but those of --tables. A key of several columns is a
    /// JSON array: --rows 'members=["7","de"]'. Can be given for several tables. Not with --mode replace.
    #[arg(long, value_name = "TABLE=KEY,KEY", value_parser = chosen_rows)]
    pub(crate) rows: Vec<ChosenRows>,
    /// Create tables that do not exist. Only with --mode into-empty.
    #[arg(long)]
    pub(crate) create_tables: bool,
    #[command(flatten)]
    pub(crate) accepted: Accepted,
    /// The deployment that the archive must be of, where that is not the vault's own.
    #[arg(long, value_name = "ID")]
    pub(crate) from_deployment: Option<String>,
    /// Of the vault: bring these credentials back as the archive has them, although they were deleted, deactivated or rotated
    /// since.
    #[arg(long = "revive", value_name = "CREDENTIAL_ID")]
    pub(crate) revive: Vec<String>,
    /// Of an empty vault: keep its own deployment id, instead of becoming the deployment that the archive is of.
    #[arg(long, conflicts_with = "from_deployment")]
    pub(crate) as_copy: bool,
    /// Trust these signing keys beside the vault's own: a file as `key export-public` writes it; - is standard input.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) signer: Option<PathBuf>,
}

/// What a plan would refuse otherwise.
#[derive(Debug, Args)]
pub(crate) struct Accepted {
    /// Rows of other tables may go with the rows that they reference, as their foreign keys say.
    #[arg(long = "accept-cascade")]
    pub(crate) cascade: bool,
    /// Readers of a SQLite database that is not in WAL mode may have to wait.
    #[arg(long = "accept-pause")]
    pub(crate) pause: bool,
    /// Restore sealed values that no key opens, as they are.
    #[arg(long = "accept-undecryptable")]
    pub(crate) undecryptable: bool,
}

/// Modes as they are typed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// The tables must be empty.
    #[default]
    IntoEmpty,
    /// Rows whose key is there already stay as they are; all others are added.
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
    /// The name of the source, as the plan prints it.
    #[arg(long, value_name = "TARGET")]
    pub(crate) confirm: Option<String>,
    /// Give up, with nothing changed, rather than hold writers longer: 500ms, 10s, 2m.
    #[arg(long, value_name = "T", value_parser = length)]
    pub(crate) max_pause: Option<SignedDuration>,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackRestore {
    #[command(flatten)]
    pub(crate) restore: GivenRestore,
    /// Rows that were changed since the restore lose those changes.
    #[arg(long)]
    pub(crate) discard_changes: bool,
    #[command(flatten)]
    pub(crate) confirmation: Confirmation,
}
