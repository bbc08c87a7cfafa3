//! Who may open an archive: what the server's configuration says, and what a request may ask for instead.
//!
//! A file key is made here for each archive; the vault wraps it, and only the seal's writer sees it again.

use strongroom_archive::seal::{FileKey, Passphrase, Recipient, Recipients, X25519Recipient};

use crate::config::{SealConfig, WITHOUT_RECOVERY};
use crate::error::{Error, Result};
use crate::vault_client::VaultClient;

/// How a request wants its archive sealed.
#[derive(Debug)]
pub(crate) enum SealChoice {
    /// To the vault and the server's recovery recipients.
    Configured,
    /// Not at all.
    Plain,
    /// To a passphrase alone.
    Passphrase(Passphrase),
    /// To the vault and these.
    Recipients(Vec<X25519Recipient>),
}

impl SealChoice {
    /// What a caller needs beside the method's own permission.
    pub(crate) fn permission(&self) -> Option<&'static str> {
        match self {
            Self::Configured => None,
            Self::Plain => Some("backup.export_plain"),
            Self::Passphrase(_) => Some("backup.export_passphrase"),
            Self::Recipients(_) => Some("backup.export_recipients"),
        }
    }

    /// Its name in the audit log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Plain => "plain",
            Self::Passphrase(_) => "passphrase",
            Self::Recipients(_) => "recipients",
        }
    }
}

/// One archive's seal, before its first byte.
#[derive(Debug)]
pub(crate) struct Seal {
    pub(crate) file_key: FileKey,
    pub(crate) recipients: Recipients,
}

/// The server's own recipients.
#[derive(Debug)]
pub(crate) struct SealPolicy {
    recovery: Vec<X25519Recipient>,
    without_recovery: bool,
}

impl SealPolicy {
    /// # Errors
    /// [`Error::Config`] for what is no recipient, one given twice, and words that are not those.
    pub(crate) fn create(config: &SealConfig) -> Result<Self> {
        let without_recovery = match config.without_recovery.as_deref() {
            None => false,
            Some(WITHOUT_RECOVERY) => true,
            Some(_) => return refused(&format!("without_recovery must be {WITHOUT_RECOVERY:?}")),
        };
        let mut recovery: Vec<X25519Recipient> = Vec::new();
        for (at, text) in config.recovery_recipients.iter().enumerate() {
            let Ok(recipient) = text.parse() else {
                return refused(&format!("recovery_recipients[{at}] is not a recipient as `age1…` is one"));
            };
            if recovery.contains(&recipient) {
                return refused(&format!("recovery_recipients[{at}] is there twice"));
            }
            recovery.push(recipient);
        }
        if without_recovery && !recovery.is_empty() {
            return refused("both recovery_recipients and without_recovery are given; keep one");
        }
        Ok(Self { recovery, without_recovery })
    }

    /// Says once, in the log, that sealed exports will be refused.
    pub(crate) fn warn(&self) {
        if let Err(error) = self.check() {
            tracing::warn!(%error, "sealed exports will be refused");
        }
    }

    /// The recovery keys that will open it, for the audit log: which archives does a lost one open?
    pub(crate) fn recipients(&self, choice: &SealChoice) -> Vec<String> {
        let keys = match choice {
            SealChoice::Configured => &self.recovery,
            SealChoice::Recipients(keys) => keys,
            SealChoice::Plain | SealChoice::Passphrase(_) => return Vec::new(),
        };
        keys.iter().map(X25519Recipient::to_string).collect()
    }

    /// Prepares the seal of an archive; `None` for a plain one. The vault wraps the file key meanwhile.
    ///
    /// # Errors
    /// [`Error::NoRecoveryRecipient`] and the vault's.
    pub(crate) async fn prepare(
        &self,
        choice: SealChoice,
        vault: &VaultClient,
        archive_id: &str,
    ) -> Result<Option<Seal>> {
        let file_key = FileKey::generate();
        let keys = match choice {
            SealChoice::Plain => return Ok(None),
            SealChoice::Passphrase(passphrase) => {
                return Ok(Some(Seal { file_key, recipients: Recipients::Passphrase(passphrase) }));
            }
            SealChoice::Recipients(keys) => keys,
            SealChoice::Configured => {
                self.check()?;
                self.recovery.clone()
            }
        };
        let mut recipients = vec![Recipient::Vault(vault.wrap_file_key(&file_key, archive_id).await?)];
        recipients.extend(keys.into_iter().map(Recipient::X25519));
        Ok(Some(Seal { file_key, recipients: Recipients::Keys(recipients) }))
    }

    fn check(&self) -> Result<()> {
        if self.recovery.is_empty() && !self.without_recovery {
            return Err(Error::NoRecoveryRecipient);
        }
        Ok(())
    }
}

fn refused<T>(problem: &str) -> Result<T> {
    Err(Error::Config(format!("[seal] {problem}")))
}
