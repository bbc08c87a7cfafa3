//! The vault's section of the configuration file.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;
use strongroom_runtime::admin::AdminConfig;
use strongroom_runtime::server::TlsConfig;

/// The sections that the vault reads. [`strongroom_runtime::config`] skips those of other processes and refuses unknown
/// ones.
#[derive(Debug, Default, Deserialize)]
pub struct ConfigFile {
    /// `[vault]`.
    #[serde(default)]
    pub vault: VaultConfig,
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
    /// Certificates; plain HTTP/2 without.
    pub tls: Option<TlsConfig>,
    /// Whether to serve other machines without certificates, because something else encrypts.
    pub plaintext: bool,
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
            tls: None,
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
