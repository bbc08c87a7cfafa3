//! Root keys named by the configuration or the environment.

use std::path::Path;

use strongroom_crypto::RootKey;

use super::read;
use crate::config::VaultConfig;
use crate::error::{Error, Result};

/// The configuration takes precedence over the environment: it can itself be overridden by
/// `STRONGROOM_VAULT__ROOT_KEY_FILE`, and a process that names a file never uses another key by accident.
pub(super) fn current_root_key(config: &VaultConfig) -> Result<RootKey> {
    if let Some(file) = &config.root_key_file {
        return root_key_from(file);
    }
    if let Some(file) = std::env::var_os("STRONGROOM_ROOT_KEY_FILE") {
        return root_key_from(Path::new(&file));
    }
    if let Ok(text) = std::env::var("STRONGROOM_ROOT_KEY") {
        return RootKey::parse(&text)
            .map_err(|error| Error::Startup(format!("STRONGROOM_ROOT_KEY: {error}")));
    }
    Err(Error::Startup(
        "no root key was given; make one with `strongroom key new-root --out FILE` and set \
         STRONGROOM_ROOT_KEY_FILE or vault.root_key_file to that file"
            .into(),
    ))
}

pub(super) fn previous_root_keys(config: &VaultConfig) -> Result<Vec<RootKey>> {
    config.previous_root_key_files.iter().map(|file| root_key_from(file)).collect()
}

fn root_key_from(file: &Path) -> Result<RootKey> {
    let text = read(file)?;
    RootKey::parse(&text).map_err(|error| Error::Startup(format!("{}: {error}", file.display())))
}
