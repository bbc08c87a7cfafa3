//! The vault's section of the configuration file.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use strongroom_runtime::admin::AdminConfig;
use strongroom_runtime::server::TlsConfig;
use strongroom_runtime::telemetry::{LogConfig, TelemetryConfig};

/// The sections that the vault reads. [`strongroom_runtime::config`] skips those of other processes and refuses unknown
/// ones.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct ConfigFile {
    /// The vault: its address, database and root key, and the client certificates that it accepts.
    #[serde(default)]
    pub vault: VaultConfig,
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

/// The vault service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VaultConfig {
    /// The address and port of the gRPC API. An address that other machines reach needs `tls`, or `plaintext = true`.
    pub listen: SocketAddr,
    /// The database: `sqlite:PATH`, relative to the working directory, or `postgres://USER@HOST/NAME`. With
    /// `strongroom dev`, the default `sqlite:vault.db` is a file in its data folder.
    pub database_url: String,
    /// A file that holds the database URL, so that its password stays out of the configuration. It takes precedence over
    /// `database_url`.
    pub database_url_file: Option<PathBuf>,
    /// A file that holds the root key, as `strongroom key new-root` writes it. Without it, the vault reads
    /// `STRONGROOM_ROOT_KEY_FILE` and then `STRONGROOM_ROOT_KEY` from its environment; it does not start without a root key.
    pub root_key_file: Option<PathBuf>,
    /// Files with previous root keys. Set this for one start to change the root key.
    pub previous_root_key_files: Vec<PathBuf>,
    /// A file for the first admin token. At the first start the vault registers the token in this file, or creates one
    /// and writes it there (mode 0600) if the file does not exist. `strongroom token new` makes such a token.
    pub admin_token_file: Option<PathBuf>,
    /// The same for the backup service's first token, so that both services become ready without manual steps.
    pub backup_token_file: Option<PathBuf>,
    /// The vault's certificate. Without it, the API is plain HTTP/2.
    pub tls: Option<TlsConfig>,
    /// Holders of client certificates, who call without a token, and their permissions. They need `tls.client_ca_file`.
    pub identities: Vec<IdentityConfig>,
    /// Allows unencrypted connections from other machines; only for networks that encrypt their traffic.
    pub plaintext: bool,
}

/// One `[[vault.identities]]`: the holder of a client certificate and its permissions.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityConfig {
    /// The subject alternative name in the certificate: a URI (`spiffe://…`), compared exactly, or `dns:` and a DNS name,
    /// compared without regard to case.
    pub san: String,
    /// The role: `admin`, `operator`, `auditor`, `gateway`, `backup-service` or `backup-creator`.
    pub role: String,
    /// Selectors that narrow the role, as for `strongroom token issue --select`: `label.env=prod`, `provider=openai`.
    #[serde(default)]
    pub select: Vec<String>,
}

impl Default for VaultConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7601)),
            database_url: "sqlite:vault.db".into(),
            database_url_file: None,
            root_key_file: None,
            previous_root_key_files: Vec::new(),
            admin_token_file: None,
            backup_token_file: None,
            tls: None,
            identities: Vec::new(),
            plaintext: false,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn sample(name: &str) -> ConfigFile {
        let path = format!("{}/../../deploy/config/{name}", env!("CARGO_MANIFEST_DIR"));
        strongroom_runtime::config::load_with(Some(path.as_ref()), std::iter::empty()).unwrap()
    }

    #[test]
    fn the_sample_configuration_is_understood() {
        assert_eq!(sample("vault.toml").vault.listen, VaultConfig::default().listen);
    }

    #[test]
    fn the_other_services_file_is_left_alone() {
        assert_eq!(sample("backup.toml").vault.listen, VaultConfig::default().listen);
    }
}
