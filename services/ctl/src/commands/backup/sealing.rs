//! The requested sealing of an archive. `None` means as the server is configured.

use anyhow::Result;
use strongroom_api::backup::v1::{
    PassphraseSeal, RecipientSeal, create_backup_request, export_backup_request,
};

use crate::cli::Sealing;
use crate::secret_input;

/// Sealing of a streamed archive.
pub(super) fn of_export(sealing: &Sealing) -> Result<Option<export_backup_request::Seal>> {
    use export_backup_request::Seal;
    if sealing.plain {
        return Ok(Some(Seal::Plain(true)));
    }
    if let Some(file) = &sealing.passphrase_file {
        let text = secret_input::new_passphrase_text(file)?;
        return Ok(Some(Seal::Passphrase(PassphraseSeal { text })));
    }
    let age: Vec<String> = sealing.recipients.iter().map(ToString::to_string).collect();
    Ok((!age.is_empty()).then_some(Seal::Recipients(RecipientSeal { age })))
}

/// Sealing of a stored archive.
pub(super) fn of_backup(sealing: &Sealing) -> Result<Option<create_backup_request::Seal>> {
    use create_backup_request::Seal;
    use export_backup_request::Seal as OfExport;
    Ok(of_export(sealing)?.map(|seal| match seal {
        OfExport::Plain(plain) => Seal::Plain(plain),
        OfExport::Passphrase(passphrase) => Seal::Passphrase(passphrase),
        OfExport::Recipients(recipients) => Seal::Recipients(recipients),
    }))
}
