//! The command line. The doc comments here are the help that operators read.

mod archive;
mod audit;
mod backup;
mod completion;
mod confirmation;
mod credential;
mod drill;
mod import;
mod key;
mod overwriting;
mod person;
mod recovery;
mod reference;
mod restore;
mod schedule;
mod services;
mod tables;
mod token;
mod values;

use clap::{Parser, Subcommand};

pub(crate) use archive::{ArchiveCommand, ArchiveKeys, OpenArchive, Reseal, SignerFile};
pub(crate) use audit::{AuditCommand, ListEvents, PruneEvents, WatchEvents};
pub(crate) use backup::{
    BackupCommand, CreateBackup, DeleteBackup, DownloadBackup, EstimateBackup, Export, ListBackups,
    ListedState, ScanBackups, Sealing, VerifyBackup,
};
pub(crate) use completion::CompletedShell;
pub(crate) use confirmation::Confirmation;
pub(crate) use credential::{
    CreateCredential, CredentialCommand, ListCredentials, RotateCredential, UpdateCredential,
};
pub(crate) use drill::{DrillCommand, RunDrill};
pub(crate) use import::{ImportCommand, ImportGeb, ImportPromptgate};
pub(crate) use key::KeyCommand;
pub(crate) use person::{PersonCommand, Subject};
pub(crate) use recovery::{CreateRecovery, RecoveryCommand};
pub(crate) use reference::{BindReference, Consumer, ReferenceCommand};
pub(crate) use restore::{ApplyRestore, PlanRestore, RestoreCommand, RollbackRestore};
pub(crate) use schedule::{CreateSchedule, DeleteSchedule, Retention, RunSchedule, ScheduleCommand};
pub(crate) use services::{Demo, Dev, SourceCommand};
pub(crate) use tables::{ExportTables, ImportTables, TablesCommand};
pub(crate) use token::{IssueToken, SecretFile, TokenCommand};
pub(crate) use values::backup_id;

use crate::output::Format;

const ENVIRONMENT: &str = "\
Environment:
  STRONGROOM_VAULT_URL    the vault (default http://127.0.0.1:7601)
  STRONGROOM_BACKUP_URL   the backup service (default http://127.0.0.1:7602)
  STRONGROOM_TOKEN        the token to send, or
  STRONGROOM_TOKEN_FILE   the file that holds it
  STRONGROOM_CA_FILE      authorities to trust for https, PEM (default: the system's)
  STRONGROOM_CERT_FILE    a client certificate, PEM, and
  STRONGROOM_KEY_FILE     its key, if a service requires a client certificate
  STRONGROOM_PLAINTEXT    true allows http:// to another machine, if the network itself is encrypted
  STRONGROOM_LOG          log levels on standard error, such as debug
  OTEL_EXPORTER_OTLP_ENDPOINT  a collector that receives the command's trace
  TRACEPARENT             the parent trace to continue

Exit codes: 0 done, 1 not done, 2 wrong usage, 3 an archive that is intact but not signed by a trusted key,\n4 a service that does not answer or cannot serve now.";

/// Stores provider secrets, and backs up and verifies a platform's databases and files.
///
/// Start with `strongroom demo`, which demonstrates everything locally in a few seconds.
#[derive(Debug, Parser)]
#[command(name = "strongroom", version, after_help = ENVIRONMENT)]
pub(crate) struct Cli {
    /// How to print results on standard output; json uses the names of the gRPC interface.
    #[arg(short = 'o', long = "output", global = true, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) output: Format,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Demonstrate everything on an embedded database, in a few seconds.
    Demo(Demo),
    /// Run both services in one process, for development.
    Dev(Dev),
    /// Show whether both services are ready: their dependencies, sources, last export and verification.
    ///
    /// The exit code is 0 when both are ready, 1 when one is not, 4 when one does not answer.
    Status,
    /// Provider credentials: one sealed secret each.
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Consumers, and the credentials that they use.
    #[command(subcommand)]
    Reference(ReferenceCommand),
    /// API tokens and their permissions.
    #[command(subcommand)]
    Token(TokenCommand),
    /// People: they approve each other's requests.
    #[command(subcommand)]
    Person(PersonCommand),
    /// The keys that seal values: rotation, re-encryption, and guarded retirement.
    ///
    /// Retire a version in steps: rotate, reencrypt, check that the census is zero, disable, destroy.
    #[command(subcommand)]
    Key(KeyCommand),
    /// The audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Backups of everything the platform owns.
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Schedules: backups that are made and deleted automatically.
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Drills: proof that backups restore, into a scratch database, with checks.
    #[command(subcommand)]
    Drill(DrillCommand),
    /// Restore archives into databases, directories and services, while their applications keep running.
    ///
    /// The steps are: plan, which changes nothing; apply, with the plan's id; and rollback, if the restore was wrong.
    #[command(subcommand)]
    Restore(RestoreCommand),
    /// Chosen tables as one JSON document, to move them between deployments.
    #[command(subcommand)]
    Tables(TablesCommand),
    /// The databases, directories and services that are backed up.
    #[command(subcommand)]
    Source(SourceCommand),
    /// Archives on this machine; with a recovery key or a passphrase, no service is needed.
    #[command(subcommand)]
    Archive(ArchiveCommand),
    /// The key that opens archives when the vault is lost.
    #[command(subcommand)]
    Recovery(RecoveryCommand),
    /// Print a script that completes commands and options in a shell.
    ///
    /// Bash: `source <(strongroom completion bash)` in ~/.bashrc. Zsh: the same in ~/.zshrc, after compinit. Fish:
    /// `strongroom completion fish >~/.config/fish/completions/strongroom.fish`.
    Completion {
        /// The shell.
        shell: CompletedShell,
    },
    /// Import from other products: Gatwy's backups, PromptGate's credentials.
    #[command(subcommand)]
    Import(ImportCommand),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
