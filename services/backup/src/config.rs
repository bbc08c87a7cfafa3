//! The backup service's sections of the configuration file: what is backed up, and how the service reaches the vault.
//!
//! [`check`] says in one sentence what is wrong, before anything is opened.

mod check;
mod secret_url;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;
use strongroom_runtime::admin::AdminConfig;
use strongroom_runtime::client::Target;
use strongroom_runtime::server::TlsConfig;
use strongroom_runtime::telemetry::{LogConfig, TelemetryConfig};

pub(crate) use check::check;
pub use secret_url::SourceUrl;

/// Where a vault on this machine listens.
const VAULT_URL: &str = "http://127.0.0.1:7601";

/// The sections that the service reads. [`strongroom_runtime::config`] skips those of other processes and refuses unknown
/// ones.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Config {
    /// `[app]`: whose data this is.
    #[serde(default)]
    pub app: AppConfig,
    /// `[backup]`: this service.
    #[serde(default)]
    pub backup: BackupConfig,
    /// `[[sources]]`: what is backed up beside the vault.
    #[serde(default)]
    pub sources: Vec<SourceConfig>,
    /// `[seal]`: who opens the archives beside the vault.
    #[serde(default)]
    pub seal: SealConfig,
    /// `[log]`.
    #[serde(default)]
    pub log: LogConfig,
    /// `[telemetry]`.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
    /// `[admin]`: metrics, probes and the page.
    #[serde(default)]
    pub admin: AdminConfig,
}

/// The application that is backed up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppConfig {
    /// Its name: in manifests, and in lower case in file names.
    pub name: String,
    /// Where it is reached, for whoever opens an archive later. May be empty.
    pub url: String,
}

/// Who opens sealed archives beside the vault.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SealConfig {
    /// Public halves of recovery keys, `age1…`. Their private halves belong in a safe, not on a server.
    pub recovery_recipients: Vec<String>,
    /// [`WITHOUT_RECOVERY`], word for word, to seal to the vault alone.
    pub without_recovery: Option<String>,
}

/// What an operator says who wants no recovery recipient.
pub const WITHOUT_RECOVERY: &str = "I accept that without the root key nobody opens these archives";

/// How the service runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The vault. An empty URL means `http://127.0.0.1:7601`.
    pub vault: Target,
    /// A file with the service's own token (role `backup-service`). Without it, `STRONGROOM_TOKEN_FILE` and
    /// then `STRONGROOM_TOKEN` are taken from the environment. None is needed with `vault.cert_file`, the certificate of
    /// an identity with that role.
    pub token_file: Option<PathBuf>,
    /// Names this replica in the audit log, by default after the host. Two replicas that run at once must
    /// differ: a start closes what an earlier process of the same name left open.
    pub instance: Option<String>,
    /// The longest that an export may take, and so hold its snapshots: 1 to 86,400.
    pub export_limit_seconds: u64,
    /// How long a client may take nothing before its export is ended, and how long it has for each 64 KiB of an upload:
    /// 1 to 3,600.
    pub stall_seconds: u64,
    /// Exports at the same time: 1 to 1,000. Each takes a few MiB of memory.
    pub concurrent_exports: usize,
    /// The longest that a verification may take: 1 to 86,400.
    pub verify_limit_seconds: u64,
    /// Verifications at the same time: 1 to 100. Others wait in the order of their arrival. Each takes up to three times
    /// `verify_manifest_limit_bytes`, `verify_row_limit_bytes` and a few MiB of memory: with the defaults below 64 MiB.
    pub concurrent_verifications: usize,
    /// The largest row of an archive that is verified here, in bytes: 1 to 268,435,456, the format's limit.
    pub verify_row_limit_bytes: u64,
    /// The largest manifest of such an archive, in bytes: 1,048,576 to 67,108,864, the format's limit. The description of
    /// a table may have half of it. 8 MiB are enough for 35,000 files.
    pub verify_manifest_limit_bytes: u64,
    /// The time on a processor that a verification may take beside the 24 s for each MiB of its file: 1 to 86,400.
    pub verify_processor_seconds: u64,
    /// Files that are received, wait or are verified at the same time: 1 to 1,000; of one caller, two.
    pub concurrent_uploads: usize,
    /// The largest file that is taken up to be verified, in bytes: 1 or more.
    pub upload_limit_bytes: u64,
    /// What all such files together may take on the disk, in bytes: 1 or more. It is counted as they arrive.
    pub staging_limit_bytes: u64,
    /// Where such files are kept while they are looked at, sealed and without a name. Without it, the system's folder
    /// for temporary files.
    pub staging_dir: Option<PathBuf>,
    /// zlib's effort, 1 to 9 (small). Without it an encoder made for rows is used: faster than 1, as small as 2.
    pub compression_level: Option<u8>,
    /// Certificates; without them the service speaks plain HTTP/2.
    pub tls: Option<TlsConfig>,
    /// Whether to serve other machines without certificates, because something else encrypts.
    pub plaintext: bool,
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7602)),
            vault: Target { url: VAULT_URL.to_owned(), ..Target::default() },
            token_file: None,
            instance: None,
            export_limit_seconds: 3600,
            stall_seconds: 60,
            concurrent_exports: 10,
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
    /// Where uploads are staged.
    pub(crate) fn staging_folder(&self) -> PathBuf {
        self.staging_dir.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// The vault, with the default address where none is given.
    pub(crate) fn vault_target(&self) -> Target {
        let mut target = self.vault.clone();
        if target.url.is_empty() {
            VAULT_URL.clone_into(&mut target.url);
        }
        target
    }
}

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SourceKind {
    /// A SQLite file.
    Sqlite,
    /// A PostgreSQL database.
    Postgres,
    /// A service that implements `strongroom.source.v1.SourceService`.
    Grpc,
    /// A directory.
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

/// One `[[sources]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Its name in manifests and messages, unique in the file.
    pub name: String,
    /// What it is.
    pub kind: SourceKind,
    /// `sqlite:PATH`, `postgres://…` or, for `grpc`, `http://HOST:PORT`. Never printed.
    #[serde(default)]
    pub url: Option<SourceUrl>,
    /// A file that holds the URL, so that a password stays out of the configuration.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// The directory (`files` only).
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// What goes before the names of its tables in archives (not for `files`): 1 to 60 bytes. Without it a table keeps
    /// its name, or gets `<source>.` before it where a source further up has one of that name.
    #[serde(default)]
    pub table_prefix: Option<String>,
    /// Tables that are never exported (databases only).
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Read a temporary copy, so that writers never wait (SQLite only).
    #[serde(default)]
    pub temp_copy: bool,
    /// Only these schemas; empty means all but the system's (PostgreSQL only).
    #[serde(default)]
    pub schemas: Vec<String>,
    /// What is exported only when asked for: tables of a database, or a directory as a whole. A service names its
    /// groups itself.
    #[serde(default)]
    pub optional: Vec<OptionalGroup>,
    /// Columns that hold values sealed with a caller key of the vault.
    #[serde(default)]
    pub encrypted_columns: Vec<EncryptedColumn>,
    /// A file with the token that the service wants (`grpc` only).
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Certificate authorities of the service, PEM (`grpc` only); the system's when absent.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Whether an `http://` URL may lead to another machine, because something else encrypts (`grpc` only).
    #[serde(default)]
    pub plaintext: bool,
}

/// Tables, or all files of a source, that are left out unless a request includes their group.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionalGroup {
    /// `gateway_logs`: becomes `include_gateway_logs` in manifests.
    pub name: String,
    /// Its tables; none for a directory.
    #[serde(default)]
    pub tables: Vec<String>,
    /// The column by which `since` selects rows.
    #[serde(default)]
    pub time_column: Option<String>,
}

/// A column of sealed values.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncryptedColumn {
    /// `table.column`.
    pub column: String,
    /// The caller key.
    pub key: String,
    /// How the additional data is made, for example `{table}/{column}/{id}`.
    pub aad: String,
}

impl EncryptedColumn {
    /// Table and column; `None` when the text names no table.
    pub(crate) fn parts(&self) -> Option<(&str, &str)> {
        let (table, column) = self.column.rsplit_once('.')?;
        (!table.is_empty() && !column.is_empty()).then_some((table, column))
    }
}
