//! The section `[admin]`.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::{Error, Result};

/// The vault's admin port.
pub const VAULT_PORT: u16 = 7611;
/// The backup service's admin port.
pub const BACKUP_PORT: u16 = 7612;

/// The admin port: metrics, probes and a web page, over plain HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// The address and port, `127.0.0.1:7611` for the vault and `127.0.0.1:7612` for the backup service if it is not set.
    /// Port 0 takes a free port, and `""` switches the admin port off. In `strongroom dev` the backup service takes the
    /// port after this one.
    pub listen: Option<String>,
}

impl AdminConfig {
    /// The address of the vault's admin port; `None` if it is switched off.
    ///
    /// # Errors
    /// [`Error::Config`] if it is not an address.
    pub fn vault(&self) -> Result<Option<SocketAddr>> {
        self.address(VAULT_PORT)
    }

    /// The address of the backup service's admin port, in its own process.
    ///
    /// # Errors
    /// [`Error::Config`] if it is not an address.
    pub fn backup(&self) -> Result<Option<SocketAddr>> {
        self.address(BACKUP_PORT)
    }

    /// The address of the backup service's admin port, in a process shared with a vault.
    ///
    /// # Errors
    /// [`Error::Config`] if it is not an address, or its port is the highest one.
    pub fn backup_beside_vault(&self) -> Result<Option<SocketAddr>> {
        let Some(mut address) = self.vault()? else { return Ok(None) };
        if address.port() > 0 {
            let next = address.port().checked_add(1);
            let taken =
                || Error::Config("[admin] listen: the backup service needs the port after this one".into());
            address.set_port(next.ok_or_else(taken)?);
        }
        Ok(Some(address))
    }

    fn address(&self, port: u16) -> Result<Option<SocketAddr>> {
        let Some(text) = &self.listen else { return Ok(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))) };
        if text.is_empty() {
            return Ok(None);
        }
        let address = text.parse().map_err(|_| {
            Error::Config(format!(
                "[admin] listen: {text:?} is not an address; expected one such as 127.0.0.1:{port}, or \"\" for none"
            ))
        })?;
        Ok(Some(address))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn config(listen: &str) -> AdminConfig {
        AdminConfig { listen: Some(listen.into()) }
    }

    fn shown(address: Result<Option<SocketAddr>>) -> String {
        address.unwrap().map(|address| address.to_string()).unwrap_or_default()
    }

    #[test]
    fn each_service_has_its_port_unless_told_otherwise() {
        let unset = AdminConfig::default();
        assert_eq!(shown(unset.vault()), "127.0.0.1:7611");
        assert_eq!(shown(unset.backup()), "127.0.0.1:7612");
        assert_eq!(shown(unset.backup_beside_vault()), "127.0.0.1:7612");
        let given = config("[::]:9000");
        assert_eq!(shown(given.vault()), "[::]:9000");
        assert_eq!(shown(given.backup()), "[::]:9000");
        assert_eq!(shown(given.backup_beside_vault()), "[::]:9001");
        assert_eq!(shown(config("127.0.0.1:0").backup_beside_vault()), "127.0.0.1:0");
        assert_eq!(shown(config("").vault()) + &shown(config("").backup_beside_vault()), "");
    }

    #[test]
    fn what_is_no_address_is_named() {
        for wrong in ["7611", "localhost:7611", " "] {
            let error = config(wrong).vault().unwrap_err().to_string();
            assert!(error.contains("[admin] listen") && error.contains("127.0.0.1:7611"), "{error}");
        }
        assert!(config("127.0.0.1:65535").backup_beside_vault().is_err());
    }
}
