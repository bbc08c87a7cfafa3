//! The command line as DESIGN §4 fixes it. Doc comments here are the help that operators read.

mod archive;
mod audit;
mod backup;
mod credential;
mod import;
mod key;
mod person;
mod recovery;
mod reference;
mod services;
mod token;
mod values;

use clap::{Parser, Subcommand};

pub(crate) use archive::{ArchiveCommand, ArchiveKeys, OpenArchive, Reseal, SignerFile};
pub(crate) use audit::{AuditCommand, ListEvents, PruneEvents, WatchEvents};
pub(crate) use backup::{
    BackupCommand, CreateBackup, DeleteBackup, DownloadBackup, EstimateBackup, Export, ListBackups,
    ListedState, ScanBackups, Sealing, VerifyBackup,
};
pub(crate) use credential::{
    CreateCredential, CredentialCommand, ListCredentials, RotateCredential, UpdateCredential,
};
pub(crate) use import::{ImportCommand, ImportGeb, ImportPromptgate};
pub(crate) use key::KeyCommand;
pub(crate) use person::{PersonCommand, Subject};
pub(crate) use recovery::{CreateRecovery, RecoveryCommand};
pub(crate) use reference::{BindReference, Consumer, ReferenceCommand};
pub(crate) use services::{Demo, Dev, SourceCommand};
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
  STRONGROOM_KEY_FILE     its key, where a service asks for one
  STRONGROOM_PLAINTEXT    true allows http:// to another machine, where something else encrypts
  STRONGROOM_LOG          log levels on standard error, such as debug
  OTEL_EXPORTER_OTLP_ENDPOINT  a collector that receives the command's trace; TRACEPARENT, the trace that it goes on with

Exit codes: 0 done, 1 not done, 2 wrong usage, 3 an archive that is intact but not signed by a trusted key,\n4 a service that does not answer or cannot serve now.";

/// Stores provider secrets, and backs up and verifies a platform's databases and files.
///
/// Start with `strongroom demo`, which shows everything on this machine in one minute.
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
    /// Tell the whole story on an embedded database, in one minute.
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
    /// Who uses which credential.
    #[command(subcommand)]
    Reference(ReferenceCommand),
    /// API tokens and their permissions.
    #[command(subcommand)]
    Token(TokenCommand),
    /// People: who may approve what another person asks for.
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
    /// The databases and services that are backed up.
    #[command(subcommand)]
    Source(SourceCommand),
    /// Archives on this machine; no service is needed.
    #[command(subcommand)]
    Archive(ArchiveCommand),
    /// The key that opens archives when the vault is lost.
    #[command(subcommand)]
    Recovery(RecoveryCommand),
    /// Import from other products: Gatwy's backups, PromptGate's credentials.
    #[command(subcommand)]
    Import(ImportCommand),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("strongroom").chain(line.split(' ')))
    }

    #[test]
    fn the_tree_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Every command line of the design.
    const CONTRACT: &[&str] = &[
        "demo",
        "demo --keep",
        "dev --data-dir d --config f --vault-listen 127.0.0.1:0 --backup-listen [::1]:7602",
        "status",
        "credential create OpenAI --provider openai --secret-file - --label a=b --label c=d=e \
         --expires 2030-01-01T00:00:00Z --allow-duplicate",
        "credential list --provider openai --active false --name-prefix O --label a=b",
        "credential get ID",
        "credential activate ID",
        "credential deactivate ID",
        "credential delete ID",
        "credential reveal ID",
        "credential reveal ID --previous",
        "credential rotate ID --secret-file - --grace 1h",
        "credential rollback ID",
        "credential update ID --name N --label a=b --allow-duplicate",
        "credential stats",
        "reference bind endpoint 7 ID --needs-provider openai",
        "reference bind endpoint 7 --via provider_template/2 --fallback ID --fallback ID2",
        "reference release endpoint 7",
        "reference resolve endpoint 7",
        "reference reassign --from ID --to ID2",
        "reference list --credential ID",
        "token issue ci --role operator --expires 2030-01-01T00:00:00+02:00",
        "token issue ci --role gateway --select provider=openai --select label.env=staging --select kind=*",
        "token new --out F",
        "token list",
        "token revoke T",
        "token issue ci --role operator --service backup --out F",
        "token renew",
        "token renew --out F --force",
        "token reissue T --out F",
        "person enrol Ada --token T",
        "person enrol Ada --identity spiffe://a/b",
        "person list",
        "person remove Ada",
        "person requests",
        "person approve R",
        "key new-root --out F",
        "key list",
        "key create gateway",
        "key rotate gateway",
        "key reencrypt --rate 500",
        "key census gateway",
        "key census",
        "key disable 0123456789abcdef",
        "key enable 0123456789abcdef",
        "key destroy 0123456789abcdef --after 7d",
        "key undo 0123456789abcdef",
        "key approve R",
        "key requests",
        "key export-public --out F",
        "audit list --event credential.* --actor a --target t --since 12h --limit 5",
        "audit head",
        "audit watch --event credential.* --after 7",
        "audit verify --head F",
        "audit verify --head F --identity I --passphrase-file P",
        "audit prune --before 2029-01-01T00:00:00Z",
        "audit prune --older-than 90d",
        "backup export --out - --include audit --include gateway_logs --since 30d --tables a,b --plain",
        "backup verify F",
        "backup create --include audit --since 30d --tables a,b --passphrase-file P",
        "backup create --plain --destination offsite --destination local --no-wait",
        "backup list",
        "backup list --deleted",
        "backup list --state failed --state creating",
        "backup get 0197e0a1-0000-7000-8000-00000000000a",
        "backup watch 0197e0a1-0000-7000-8000-00000000000a",
        "backup download 0197e0a1-0000-7000-8000-00000000000a --out F",
        "backup download 0197e0a1-0000-7000-8000-00000000000a --out - --destination offsite --resume --force",
        "backup verify 0197e0a1-0000-7000-8000-00000000000a --destination offsite",
        "backup estimate",
        "backup estimate --include audit --tables a,b",
        "backup delete 0197e0a1-0000-7000-8000-00000000000a",
        "backup delete 0197e0a1-0000-7000-8000-00000000000a --yes",
        "backup undelete 0197e0a1-0000-7000-8000-00000000000a",
        "backup hold 0197e0a1-0000-7000-8000-00000000000a",
        "backup unhold 0197e0a1-0000-7000-8000-00000000000a",
        "backup scan",
        "backup scan --destination offsite",
        "source list",
        "archive inspect F",
        "archive verify F",
        "archive inspect F --identity I --passphrase-file -",
        "archive verify F --passphrase-file P --signer S",
        "archive open F --table T",
        "archive open F --out D --identity I",
        "archive reseal F --out G --identity I",
        "recovery create --out F --passphrase-file P --signer S",
        "backup export --out - --passphrase-file P",
        "backup export --out -",
        "import geb F --passphrase-file P --out D --with-master-key",
        "import geb F --passphrase-file -",
        "import promptgate F --app-key-file K --dry-run",
    ];

    #[test]
    fn the_contract_parses() {
        for line in CONTRACT {
            let tidy = line.split_whitespace().collect::<Vec<_>>().join(" ");
            let cli = parse(&tidy).unwrap_or_else(|error| panic!("{tidy}: {error}"));
            assert_eq!(cli.output, Format::Text, "{tidy}");
            for placed in [format!("-o json {tidy}"), format!("{tidy} -o json")] {
                assert_eq!(parse(&placed).unwrap().output, Format::Json, "{placed}");
            }
        }
    }

    #[test]
    fn wrong_usage_is_refused() {
        for line in [
            "credential",
            "credential create OpenAI --provider openai",
            "credential create OpenAI --provider openai --secret sk-123",
            "credential update ID",
            "credential list --active yes",
            "credential create N --provider p --secret-file - --label novalue",
            "credential create N --provider p --secret-file - --expires tomorrow",
            "audit list --since yesterday",
            "audit list --limit 0",
            "reference bind endpoint 7",
            "reference bind endpoint 7 ID --via provider_template/2",
            "reference bind endpoint 7 --via provider_template",
            "reference reassign --from ID",
            "token issue ci --role gateway --select env=staging",
            "token issue ci --role gateway --service vaults",
            "person enrol Ada",
            "person enrol Ada --token T --identity dns:a",
            "token renew --force",
            "token reissue",
            "credential rotate ID",
            "credential rotate ID --secret-file - --grace soon",
            "key destroy 0123456789abcdef --after 7",
            "key reencrypt --rate 0",
            "key disable kid",
            "audit watch --after -1",
            "audit prune",
            "audit prune --before 2029-01-01T00:00:00Z --older-than 90d",
            "backup export",
            "backup verify",
            "backup export --out - --plain --passphrase-file P",
            "backup export --out - --recipient age1nonsense",
            "backup create --plain --passphrase-file P",
            "backup create --destination",
            "backup list --state kept",
            "backup list --state failed --deleted",
            "backup get",
            "backup get backup.zip.age",
            "backup download 0197e0a1-0000-7000-8000-00000000000a",
            "backup estimate --since 30d",
            "backup delete",
            "backup verify F --yes",
            "archive open F",
            "archive reseal F",
            "recovery create --out F",
            "import geb F",
            "import geb F --passphrase-file P --with-master-key",
            "import promptgate F",
            "-o yaml credential stats",
        ] {
            let error = parse(line).map(|_| ()).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn the_help_says_what_an_operator_must_know() {
        let help = Cli::command().render_long_help().to_string();
        for name in ["STRONGROOM_VAULT_URL", "STRONGROOM_TOKEN_FILE", "STRONGROOM_CA_FILE", "Exit codes"] {
            assert!(help.contains(name), "{name}");
        }
        let mut command = Cli::command();
        let create = command.find_subcommand_mut("credential").unwrap().find_subcommand_mut("create");
        let help = create.unwrap().render_long_help().to_string();
        assert!(help.contains("one line feed at its end is not part of it"), "{help}");
    }
}
