//! The backup service's sections of the configuration file: the data to back up, and how the service reaches the vault.
//!
//! `check` reports a mistake in one sentence, before anything is opened.

mod check;
mod destination_url;
mod own_files;
mod secret_url;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use strongroom_runtime::admin::AdminConfig;
use strongroom_runtime::client::Target;
use strongroom_runtime::server::TlsConfig;
use strongroom_runtime::telemetry::{LogConfig, TelemetryConfig};

pub(crate) use check::check;
pub(crate) use destination_url::DestinationUrl;
pub use own_files::keep_out_of_archives;
pub use secret_url::SourceUrl;

/// Default address of a vault on this machine.
const VAULT_URL: &str = "http://127.0.0.1:7601";

/// The sections that the service reads. [`strongroom_runtime::config`] skips those of other processes and refuses
/// unknown ones.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Config {
    /// The application whose data is backed up.
    #[serde(default)]
    pub app: AppConfig,
    /// The backup service: where it listens, how it reaches the vault, and the limits of exports and verifications.
    #[serde(default)]
    pub backup: BackupConfig,
    /// The sources that are backed up besides the vault.
    #[serde(default)]
    pub sources: Vec<SourceConfig>,
    /// The destinations of stored backups. Without one, backups can only be streamed to a client.
    #[serde(default)]
    pub destinations: Vec<DestinationConfig>,
    /// Where drills restore backups to prove that they restore.
    #[serde(default)]
    pub drill: DrillConfig,
    /// The recipients that can open sealed archives besides the vault.
    #[serde(default)]
    pub seal: SealConfig,
    /// Logs, on standard error.
    #[serde(default)]
    pub log: LogConfig,
    /// Traces, sent to a collector.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
    /// The admin port: metrics, probes and a web page, over plain HTTP and without authentication; it shows no secrets.
    #[serde(default)]
    pub admin: AdminConfig,
}

/// The application whose data is backed up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AppConfig {
    /// The application's name, in manifests and, in lower case, in the file names of archives: 1 to 100 bytes. The backup
    /// service does not start without it.
    pub name: String,
    /// The application's address, in manifests, for the person who opens an archive later.
    pub url: String,
}

/// Where drills restore backups to prove that they restore. Without a place for each database source, no backup can be
/// drilled.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DrillConfig {
    /// A PostgreSQL server, `postgres://USER@HOST/postgres`, whose role may create databases. For each PostgreSQL
    /// source, a drill creates a database there, named `strongroom_drill_` and an id, and drops it. The server must not
    /// be behind a pooler. The URL is never printed.
    #[schemars(with = "Option<String>")]
    pub scratch_url: Option<SourceUrl>,
    /// A file that holds `scratch_url`, so that its password stays out of the configuration. It takes precedence.
    pub scratch_url_file: Option<PathBuf>,
    /// The database of the server in `scratch_url` from which scratch databases are created
    /// (`CREATE DATABASE … TEMPLATE`), instead of `template0`. It provides extensions that only a superuser can create or
    /// that are in a schema other than `public`, and the collations and functions that tables use. It must not contain
    /// tables of a source, and must have no connections.
    pub scratch_template: Option<String>,
    /// A folder in which a drill creates the database of each SQLite source, and removes it. Meanwhile its rows are
    /// stored there in the clear, as in any database.
    pub scratch_dir: Option<PathBuf>,
}

/// The recipients that can open sealed archives besides the vault.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SealConfig {
    /// Public halves of recovery keys, all `age1…` or all `age1pq1…` (post-quantum), as `strongroom recovery create` prints them.
    /// Their private halves belong in a safe, not on a server. Without a recipient, sealed exports are refused unless
    /// `without_recovery` is set.
    pub recovery_recipients: Vec<String>,
    /// Opts out of recovery recipients: then only the vault can open the archives. It must read exactly `I accept that
    /// without the root key nobody opens these archives`.
    pub without_recovery: Option<String>,
}

/// The text with which an operator opts out of recovery recipients.
pub const WITHOUT_RECOVERY: &str = "I accept that without the root key nobody opens these archives";

/// The backup service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackupConfig {
    /// The address and port of the gRPC API. An address that other machines reach needs `tls`, or `plaintext = true`.
    pub listen: SocketAddr,
    /// How the backup service reaches the vault.
    pub vault: Target,
    /// A file that holds the service's own token (role `backup-service`). Without it, the service reads
    /// `STRONGROOM_TOKEN_FILE` and then `STRONGROOM_TOKEN` from its environment. It needs no token if `vault.cert_file` is
    /// the certificate of an identity with that role.
    pub token_file: Option<PathBuf>,
    /// The service's own database: `sqlite:PATH`, relative to the working directory, or `postgres://USER@HOST/NAME`,
    /// which several replicas share. It holds the catalogue of stored backups and the operations in progress.
    /// With `strongroom dev`, the default `sqlite:backup.db` is a file in its data folder.
    pub database_url: String,
    /// A file that holds the database URL, so that its password stays out of the configuration. It takes precedence over
    /// `database_url`.
    pub database_url_file: Option<PathBuf>,
    /// The maximum duration of an export, in seconds; its snapshots can stay open that long.
    #[schemars(range(min = 1, max = 86_400))]
    pub export_limit_seconds: u64,
    /// How long a client may stop reading before its export ends, and how long it has for each 64 KiB of an upload, in
    /// seconds.
    #[schemars(range(min = 1, max = 3_600))]
    pub stall_seconds: u64,
    /// How long the vault protects the key versions of a streamed archive from retirement, in days: the service does
    /// not know how long somebody keeps such an archive.
    #[schemars(range(min = 1, max = 3_650))]
    pub pin_days: u32,
    /// The maximum number of concurrent exports. Each takes up to 14 MiB of memory, or more if single rows have several MiB.
    #[schemars(range(min = 1, max = 1_000))]
    pub concurrent_exports: usize,
    /// The maximum duration of making a stored backup, in seconds; its snapshots can stay open that long.
    #[schemars(range(min = 1, max = 86_400))]
    pub create_limit_seconds: u64,
    /// The maximum number of stored backups being made concurrently. Each holds up to three parts of its upload in
    /// memory: 24 MiB, or more for archives beyond 64 GiB.
    #[schemars(range(min = 1, max = 100))]
    pub concurrent_backups: usize,
    /// How long a deleted backup can be undeleted, in hours.
    #[schemars(range(min = 0, max = 87_600))]
    pub delete_delay_hours: u32,
    /// The bytes of stored backups that all schedules together verify in a day. At least one backup a day is verified.
    #[schemars(range(min = 1))]
    pub verify_bytes_per_day: u64,
    /// The maximum number of concurrent downloads of stored backups.
    #[schemars(range(min = 1, max = 1_000))]
    pub concurrent_downloads: usize,
    /// The maximum duration of a restore, or of its plan, in seconds.
    #[schemars(range(min = 1, max = 604_800))]
    pub restore_limit_seconds: u64,
    /// The maximum number of restores being applied concurrently; the same limit applies separately to plans and to
    /// rollbacks. At most one restore changes a given source at a time.
    #[schemars(range(min = 1, max = 100))]
    pub concurrent_restores: usize,
    /// The maximum duration of a verification, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub verify_limit_seconds: u64,
    /// The maximum number of concurrent verifications. Others wait in the order of their arrival. Each takes up to
    /// 3 × `verify_manifest_limit_bytes` + `verify_row_limit_bytes` + a few MiB of memory: less than 64 MiB with the
    /// defaults.
    #[schemars(range(min = 1, max = 100))]
    pub concurrent_verifications: usize,
    /// The maximum size of a row in an archive that the service verifies, in bytes, at most the format's limit.
    /// `strongroom archive verify` has no such limit.
    #[schemars(range(min = 1, max = 268_435_456))]
    pub verify_row_limit_bytes: u64,
    /// The maximum size of the manifest of an archive that the service verifies, in bytes, at most the format's limit.
    /// A table's schema entry and the key ring may each have half of this limit. 8 MiB are enough for 33,000 files.
    #[schemars(range(min = 1_048_576, max = 67_108_864))]
    pub verify_manifest_limit_bytes: u64,
    /// The processor time that a verification may take in addition to 24 s for each MiB of its file, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub verify_processor_seconds: u64,
    /// The maximum number of uploads being received, waiting or being verified. One caller may have two.
    #[schemars(range(min = 1, max = 1_000))]
    pub concurrent_uploads: usize,
    /// The maximum size of an upload, in bytes.
    #[schemars(range(min = 1))]
    pub upload_limit_bytes: u64,
    /// The maximum disk space of all uploads together, in bytes. Bytes count as soon as they arrive.
    #[schemars(range(min = 1))]
    pub staging_limit_bytes: u64,
    /// The folder for uploads, which are stored sealed. A file to be verified is an unnamed temporary file, and
    /// disappears when the call ends; a file to be restored is kept for a day. Without it, the system's folder for
    /// temporary files (`TMPDIR`).
    pub staging_dir: Option<PathBuf>,
    /// zlib's compression level, from 1 (fast) to 9 (small). Without it, an encoder designed for rows is used, which is
    /// faster than level 1 and compresses like level 2.
    #[schemars(range(min = 1, max = 9))]
    pub compression_level: Option<u8>,
    /// The service's certificate. Without it, the API is plain HTTP/2.
    pub tls: Option<TlsConfig>,
    /// Allows unencrypted connections from other machines; only for networks that encrypt their traffic.
    pub plaintext: bool,
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7602)),
            vault: Target { url: VAULT_URL.to_owned(), ..Target::default() },
            token_file: None,
            database_url: "sqlite:backup.db".into(),
            database_url_file: None,
            export_limit_seconds: 3600,
            stall_seconds: 60,
            pin_days: 90,
            concurrent_exports: 10,
            create_limit_seconds: 6 * 3600,
            concurrent_backups: 2,
            delete_delay_hours: 7 * 24,
            verify_bytes_per_day: 1 << 40,
            concurrent_downloads: 10,
            restore_limit_seconds: 24 * 3600,
            concurrent_restores: 2,
            verify_limit_seconds: 3600,
            concurrent_verifications: 2,
            verify_row_limit_bytes: 32 << 20,
            verify_manifest_limit_bytes: 8 << 20,
            verify_processor_seconds: 10,
            concurrent_uploads: 8,
            upload_limit_bytes: 64 << 30,
            staging_limit_bytes: 128 << 30,
            staging_dir: None,
            compression_level: None,
            tls: None,
            plaintext: false,
        }
    }
}

impl BackupConfig {
    pub(crate) fn staging_folder(&self) -> PathBuf {
        self.staging_dir.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// The vault target, with the default address if none is configured.
    pub(crate) fn vault_target(&self) -> Target {
        let mut target = self.vault.clone();
        if target.url.is_empty() {
            VAULT_URL.clone_into(&mut target.url);
        }
        target
    }
}

/// The kind of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(!try_from, rename_all = "lowercase")]
pub enum SourceKind {
    /// a SQLite database
    Sqlite,
    /// a PostgreSQL database
    Postgres,
    /// a service that implements `strongroom.source.v1.SourceService`
    Grpc,
    /// a directory
    Files,
}

/// Not derived: the derived form does not list the kinds when the file is read through the crate `config`.
impl TryFrom<String> for SourceKind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let kinds = [Self::Sqlite, Self::Postgres, Self::Grpc, Self::Files];
        let known = kinds.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| {
            let kinds = kinds.map(Self::name).join(", ");
            format!("unknown variant `{text}`: a source's kind is one of {kinds}")
        })
    }
}

impl SourceKind {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Grpc => "grpc",
            Self::Files => "files",
        }
    }
}

/// One `[[sources]]`: data to back up besides the vault.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// The source's name in manifests and messages, unique in the file, 1 to 100 bytes. A `files` source may use only `a-z`,
    /// `0-9`, `_` and `-`: its name is a folder in archives. `vault` is reserved.
    pub name: String,
    /// The kind of the source.
    pub kind: SourceKind,
    /// The address: `sqlite:PATH`, `postgres://USER@HOST/NAME`, or for `grpc` `https://HOST:PORT`. Not for `files`. It is
    /// never printed.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub url: Option<SourceUrl>,
    /// A file that holds the URL, in place of `url`, so that a password stays out of the configuration.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// A file that holds the URL by which the source is restored (only databases): that of the tables' owner, who need
    /// not be a superuser. Without it, the source cannot be restored.
    #[serde(default)]
    pub restore_url_file: Option<PathBuf>,
    /// The owner of restored files: `user:group`, each a name or a number (only `files`). An owner other than the
    /// process's own user and groups requires the right to change the owner of files (`CAP_CHOWN`). If it is not set,
    /// the process's user owns them.
    #[serde(default)]
    pub restore_owner: Option<String>,
    /// The directory (only `files`). It must not contain files of the backup service, such as its token or a folder of
    /// stored backups, and should not contain the vault's root key, which opens the archives.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// A prefix for the names of its tables in archives, 1 to 60 bytes (not for `files`). Without it, a table keeps its name,
    /// or becomes `<source>.<table>` if the vault or an earlier source has a table of that name.
    #[serde(default)]
    pub table_prefix: Option<String>,
    /// Tables that are never exported (only databases).
    #[serde(default)]
    pub exclude: Vec<String>,
    /// The table in which the application records its migrations (only databases). An archive keeps the ids, so that a
    /// restore can refuse a database that is older than the archive.
    #[serde(default)]
    pub migrations_table: Option<String>,
    /// The column with the ids of migrations. Without it, the first of `migration`, `migration_name`, `version`,
    /// `version_num`, `MigrationId`, `version_id` and `name` that the table has, or else the only column of its primary
    /// key.
    #[serde(default)]
    pub migrations_column: Option<String>,
    /// Exports a temporary copy, so that writers never wait (only `sqlite`).
    #[serde(default)]
    pub temp_copy: bool,
    /// The schemas that are exported, all except the system's if the list is empty (only `postgres`).
    #[serde(default)]
    pub schemas: Vec<String>,
    /// Groups that are exported only on request (`backup export --include NAME`): tables of a database, or a directory as a
    /// whole. A `grpc` source names its groups itself.
    #[serde(default)]
    pub optional: Vec<OptionalGroup>,
    /// Columns whose values are sealed under a caller key of the vault (only databases). Each export counts the values,
    /// and `backup verify` checks them.
    #[serde(default)]
    pub encrypted_columns: Vec<EncryptedColumn>,
    /// A file that holds the token for the service (only `grpc`, required there).
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// The certificate authorities of the service, PEM; the system's if it is not set (only `grpc`).
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Permits an `http://` address on another machine, for networks that encrypt their traffic (only `grpc`).
    #[serde(default)]
    pub plaintext: bool,
}

/// One `[[sources.optional]]`: tables, or a whole directory, that a backup leaves out unless the request includes the group.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OptionalGroup {
    /// The group's name, 1 to 60 characters `a-z`, `0-9`, `_` and `-`, unique in the file.
    pub name: String,
    /// The tables of the group. Required for databases; not for `files`.
    #[serde(default)]
    pub tables: Vec<String>,
    /// The column by which `backup export --since` selects rows. Each table of the group must have it. Not for `files`.
    #[serde(default)]
    pub time_column: Option<String>,
}

/// One `[[sources.encrypted_columns]]`: a column of sealed values.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EncryptedColumn {
    /// The column: `TABLE.COLUMN`.
    pub column: String,
    /// The caller key that sealed the values, as in `strongroom key list`.
    pub key: String,
    /// The template of each value's additional data. `{table}` and `{column}` stand for the names, and `{NAME}` stands for the
    /// row's value in the column NAME; for example `{table}/{column}/{id}`.
    pub aad: String,
}

impl EncryptedColumn {
    /// Table and column; `None` if the text names no table.
    pub(crate) fn parts(&self) -> Option<(&str, &str)> {
        let (table, column) = self.column.rsplit_once('.')?;
        (!table.is_empty() && !column.is_empty()).then_some((table, column))
    }
}

/// One `[[destinations]]`: a folder or a bucket in which backups are stored.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DestinationConfig {
    /// The destination's name in commands and messages, unique in the file: 1 to 60 characters `a-z`, `0-9`, `_` and `-`.
    pub name: String,
    /// Where it is: `file:///FOLDER`, or `s3://BUCKET/PREFIX`, whose prefix may be empty. It holds no secret.
    pub url: String,
    /// The address of the S3 service, `https://HOST`; that of AWS if it is not set (only `s3`).
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The region; `AWS_REGION` from the environment, or `us-east-1`, if it is not set (only `s3`).
    #[serde(default)]
    pub region: Option<String>,
    /// Addresses the bucket in the path, `https://HOST/BUCKET`, instead of the host name. Most services other than AWS
    /// need it (only `s3`).
    #[serde(default)]
    pub path_style: bool,
    /// A file with the credentials, in the format of `~/.aws/credentials`: `aws_access_key_id`, `aws_secret_access_key`
    /// and, for temporary credentials, `aws_session_token`, in the section `[default]`. It is read again when it
    /// changes. Without it, the environment is used as AWS describes it (only `s3`).
    #[serde(default)]
    pub credentials_file: Option<PathBuf>,
    /// The certificate authorities of the service, PEM; the system's if it is not set (only `s3`).
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Permits an `http://` endpoint on another machine, for networks that encrypt their traffic (only `s3`).
    #[serde(default)]
    pub plaintext: bool,
}
