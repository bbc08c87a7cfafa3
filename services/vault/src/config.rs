//! The vault's section of the configuration file.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;
use strongroom_runtime::admin::AdminConfig;
use strongroom_runtime::server::TlsConfig;
use strongroom_runtime::telemetry::{LogConfig, TelemetryConfig};

/// The sections that the vault reads. [`strongroom_runtime::config`] skips those of other processes and refuses unknown
/// ones.
#[derive(Debug, Default, Deserialize)]
pub struct ConfigFile {
    /// `[vault]`.
    #[serde(default)]
    pub vault: VaultConfig,
    /// `[log]`.
    #[serde(default)]
    pub log: LogConfig,
    /// `[telemetry]`.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
    /// `[admin]`.
    #[serde(default)]
    pub admin: AdminConfig,
}

/// The section `[vault]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VaultConfig {
    /// Where to listen: `127.0.0.1:7601` by default.
    pub listen: SocketAddr,
    /// `sqlite:PATH` or `postgres://…`.
    pub database_url: String,
    /// A file with the database URL, which keeps its password out of the configuration.
    pub database_url_file: Option<PathBuf>,
    /// A file with the root key (`base64:…`). Without it, `STRONGROOM_ROOT_KEY_FILE` or `STRONGROOM_ROOT_KEY`.
    pub root_key_file: Option<PathBuf>,
    /// Files with previous root keys, while the root key is being changed.
    pub previous_root_key_files: Vec<PathBuf>,
    /// The first admin token: read from this file when it exists, else made and written to it (0600).
    /// Needed at the first start only.
    pub admin_token_file: Option<PathBuf>,
    /// The backup service's first token, in the same way. Only where both services read the same file or Secret.
    pub backup_token_file: Option<PathBuf>,
    /// Certificates; plain HTTP/2 without.
    pub tls: Option<TlsConfig>,
    /// What holders of client certificates may do. They need `tls.client_ca_file`.
    pub identities: Vec<IdentityConfig>,
    /// Whether to serve other machines without certificates, because something else encrypts.
    pub plaintext: bool,
}

/// One `[[vault.identities]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityConfig {
    /// A name in the certificate: a URI (`spiffe://…`) or `dns:` and a DNS name. It must be the same, letter by letter.
    pub san: String,
    /// As of a token: `admin`, `operator`, `auditor`, `gateway`, `backup-service` or `backup-creator`.
    pub role: String,
    /// What it is narrowed to, as `strongroom token issue --select` takes it.
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
