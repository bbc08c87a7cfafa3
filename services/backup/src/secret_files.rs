//! The service's own secrets: its token, and URLs with passwords.

use std::path::Path;

use strongroom_runtime::client::Bearer;
use strongroom_runtime::secret_file;
use zeroize::Zeroizing;

use crate::config::{BackupConfig, SourceConfig, SourceUrl};
use crate::error::{Error, Result};

/// The service's own token, from the configured file or the environment. A service with a client certificate needs no
/// token.
///
/// # Errors
/// [`Error::Config`] when there is neither a token nor a certificate, [`Error::Runtime`] when the file cannot be read.
pub(crate) fn own_bearer(config: &BackupConfig) -> Result<Bearer> {
    if let Some(file) = &config.token_file {
        return bearer_of_file(file);
    }
    if let Some(file) = std::env::var_os("STRONGROOM_TOKEN_FILE") {
        return bearer_of_file(Path::new(&file));
    }
    match std::env::var("STRONGROOM_TOKEN") {
        Ok(token) => Ok(Bearer::new(&Zeroizing::new(token))?),
        Err(_) if config.vault.cert_file.is_some() => Ok(Bearer::none()),
        Err(_) => Err(Error::Config(
            "the service has no token for the vault; issue one with the role backup-service and set [backup] \
             token_file, STRONGROOM_TOKEN_FILE or STRONGROOM_TOKEN, or set vault.cert_file and vault.key_file to a \
             certificate of an identity with that role"
                .to_owned(),
        )),
    }
}

/// The token in a file.
///
/// # Errors
/// [`Error::Runtime`] when it cannot be read or sent.
pub(crate) fn bearer_of_file(file: &Path) -> Result<Bearer> {
    Ok(Bearer::new(&read(file)?)?)
}

/// A source's URL, from the configuration or its file.
///
/// # Errors
/// [`Error::Config`] when there is none, [`Error::Runtime`] when the file cannot be read.
pub(crate) fn url_of(config: &SourceConfig) -> Result<SourceUrl> {
    match (&config.url, &config.url_file) {
        (Some(url), None) => Ok(url.clone()),
        (None, Some(file)) => Ok(SourceUrl::from(read(file)?.trim().to_owned())),
        _ => Err(Error::Config(format!("source {}: give either url or url_file", config.name))),
    }
}

/// The URL of the service's own database, from its file.
///
/// # Errors
/// [`Error::Runtime`] when the file cannot be read.
pub(crate) fn database_url(file: &Path) -> Result<String> {
    Ok(read(file)?.trim().to_owned())
}

/// The URL by which a source is restored, from its file.
///
/// # Errors
/// [`Error::Runtime`] when the file cannot be read.
pub(crate) fn restore_url_of(config: &SourceConfig) -> Result<Option<SourceUrl>> {
    let url = config.restore_url_file.as_deref().map(read).transpose()?;
    Ok(url.map(|url| SourceUrl::from(url.trim().to_owned())))
}

/// This machine's name, for display.
pub(crate) fn host() -> String {
    let kernel = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = std::env::var("HOSTNAME").ok().or_else(kernel);
    let named = named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    named.unwrap_or_else(|| "strongroom-backup".to_owned())
}

fn read(path: &Path) -> Result<Zeroizing<String>> {
    Ok(Zeroizing::new(secret_file::read_text(path)?))
}
