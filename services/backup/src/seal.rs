//! Chooses the recipients of an archive: those of the server's configuration, or those that a request asks for.
//!
//! A file key is generated here for each archive; the vault wraps it, and afterwards only the seal's writer uses it.

use strongroom_age::{FileKey, Passphrase, PublicKey, Recipient, Recipients};

use crate::config::{SealConfig, WITHOUT_RECOVERY};
use crate::error::{Error, Result};
use crate::vault_client::VaultClient;

/// How a request wants its archive sealed.
#[derive(Debug)]
pub(crate) enum SealChoice {
    /// To the vault and the server's recovery recipients.
    Configured,
    /// Unsealed.
    Plain,
    /// To a passphrase alone.
    Passphrase(Passphrase),
    /// To the vault and these recipients.
    Recipients(Vec<PublicKey>),
}

impl SealChoice {
    /// The permission that a caller needs in addition to the method's own.
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

/// The seal of an archive, before its first byte is written.
#[derive(Debug)]
pub(crate) struct Seal {
    pub(crate) file_key: FileKey,
    pub(crate) recipients: Recipients,
}

/// The server's own recipients.
#[derive(Debug)]
pub(crate) struct SealPolicy {
    recovery: Vec<PublicKey>,
    without_recovery: bool,
}

impl SealPolicy {
    /// # Errors
    /// [`Error::Config`] for an invalid or duplicate recipient, a wrong opt-out text, or an opt-out in addition to
    /// recipients.
    pub(crate) fn create(config: &SealConfig) -> Result<Self> {
        let without_recovery = match config.without_recovery.as_deref() {
            None => false,
            Some(WITHOUT_RECOVERY) => true,
            Some(_) => return refused(&format!("without_recovery must be {WITHOUT_RECOVERY:?}")),
        };
        let mut recovery: Vec<PublicKey> = Vec::new();
        for (at, text) in config.recovery_recipients.iter().enumerate() {
            let Ok(recipient) = text.parse() else {
                return refused(&format!(
                    "recovery_recipients[{at}] is not a recipient: expected `age1…` or `age1pq1…`"
                ));
            };
            if recovery.contains(&recipient) {
                return refused(&format!("recovery_recipients[{at}] is listed twice"));
            }
            recovery.push(recipient);
        }
        if let Err(problem) = PublicKey::check_alike(&recovery) {
            return refused(&format!("recovery_recipients: {problem}"));
        }
        if without_recovery && !recovery.is_empty() {
            return refused("both recovery_recipients and without_recovery are given; keep one");
        }
        Ok(Self { recovery, without_recovery })
    }

    /// Logs a warning if sealed exports will be refused.
    pub(crate) fn warn(&self) {
        if let Err(error) = self.check() {
            tracing::warn!(%error, "sealed exports will be refused");
        }
    }

    /// The recovery keys that can open the archive, for the audit log: it shows which archives a lost key opens.
    pub(crate) fn recipients(&self, choice: &SealChoice) -> Vec<String> {
        let keys = match choice {
            SealChoice::Configured => &self.recovery,
            SealChoice::Recipients(keys) => keys,
            SealChoice::Plain | SealChoice::Passphrase(_) => return Vec::new(),
        };
        keys.iter().map(PublicKey::name).collect()
    }

    /// Prepares an archive's seal; `None` for a plain archive. If the vault is a recipient, it wraps the file key.
    ///
    /// # Errors
    /// [`Error::NoRecoveryRecipient`] and the vault's errors.
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
        let mut recipients = vec![Recipient::from(vault.wrap_file_key(&file_key, archive_id).await?)];
        recipients.extend(keys.into_iter().map(Recipient::from));
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
