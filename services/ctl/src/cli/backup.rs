//! `strongroom backup`.

mod export;
mod stored;

use clap::Subcommand;

pub(crate) use export::{Export, Sealing, TableSelection};
pub(crate) use stored::{
    CreateBackup, DeleteBackup, DownloadBackup, EstimateBackup, ListBackups, ListedState, ScanBackups,
    StoredBackup, VerifyBackup,
};

const CREATE: &str = "\
Examples:
  strongroom backup create
  strongroom backup create --include gateway_logs --since 30d
  strongroom backup create --destination offsite --no-wait -o json | jq -r .id";

const LIST: &str = "\
Examples:
  strongroom backup list
  strongroom backup list --state failed
  strongroom backup list -o json | jq -r '.[0].id'";

const DOWNLOAD: &str = "\
Examples:
  strongroom backup download 0197… --out backup.zip.age
  strongroom backup download 0197… --out backup.zip.age --resume
  strongroom backup download 0197… --out - | age -d -i recovery.key > backup.zip";

const VERIFY: &str = "\
Examples:
  strongroom backup verify 0197…
  strongroom backup verify 0197… --destination offsite
  strongroom backup verify backup.zip.age";

const ESTIMATE: &str = "\
Examples:
  strongroom backup estimate
  strongroom backup estimate --include gateway_logs,audit";

const DELETE: &str = "\
Examples:
  strongroom backup delete 0197…
  strongroom backup delete 0197… --yes";

const SCAN: &str = "\
Examples:
  strongroom backup scan
  strongroom backup scan --destination offsite";

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Build an archive of everything and stream it to this machine.
    ///
    /// The archive is written to FILE.partial and renamed to FILE only when it is complete and its digest matches the server's.
    ///
    /// It is sealed (age, .zip.age) to the vault and to the recovery recipients of the server's configuration,
    /// unless --plain, --passphrase-file or --recipient is given; each needs a permission.
    Export(Export),
    /// Build an archive of everything and store it in the configured destinations.
    ///
    /// Waits until the backup is stored, and prints it. The exit code is 0 only if every destination has its copy. The
    /// backup continues without this command: Ctrl-C only ends the waiting, and `backup watch` resumes it.
    ///
    /// It is sealed as by `backup export`, which writes the same archive to a file on this machine instead.
    #[command(after_help = CREATE)]
    Create(CreateBackup),
    /// List stored backups, newest first.
    #[command(after_help = LIST)]
    List(ListBackups),
    /// Show a stored backup: its copies with their problems, its contents, and the root key that it needs.
    Get(StoredBackup),
    /// Wait until a backup in progress is stored, and print it; the exit codes are those of `backup create`.
    Watch(StoredBackup),
    /// Download a stored backup.
    ///
    /// It is written to FILE.partial and renamed to FILE only when it is complete and its digest matches that of the
    /// stored backup. A broken connection is resumed a few times. Any other interruption leaves FILE.partial and
    /// FILE.partial.state behind: the same command with --resume continues from there.
    #[command(after_help = DOWNLOAD)]
    Download(DownloadBackup),
    /// Check an archive with the vault: the seal, the signature, every byte and row, and whether every sealed value in it
    /// would open today.
    ///
    /// The service reads a stored backup itself, and keeps the result with it; a file is uploaded. Prints verdicts, and
    /// the ids of rows whose values would not open. The exit code is 0 only if the archive passes; 3 if it is intact,
    /// but not signed by a key that the vault knows. On this machine, `archive verify` checks everything except the sealed
    /// values.
    #[command(after_help = VERIFY)]
    Verify(VerifyBackup),
    /// Estimate how large a backup can become. No row is read for this.
    #[command(after_help = ESTIMATE)]
    Estimate(EstimateBackup),
    /// Delete a stored backup. `backup undelete` brings it back until the server's delay is over, 7 days by default.
    ///
    /// On a terminal it shows what will be lost and asks. A backup on hold is not deleted.
    #[command(after_help = DELETE)]
    Delete(DeleteBackup),
    /// Cancel the deletion of a backup, while its files still exist.
    Undelete(StoredBackup),
    /// Protect a backup from deletion, by anybody and by retention, until `backup unhold`.
    Hold(StoredBackup),
    /// Remove a hold.
    Unhold(StoredBackup),
    /// Rebuild the catalogue from the destinations, after its database was lost.
    ///
    /// Backups, holds, and the pins of their key versions come back; nothing is deleted, and no protection is removed.
    /// The exit code is 1 if a destination could not be read to its end, or a record in it was refused.
    #[command(after_help = SCAN)]
    Scan(ScanBackups),
}
