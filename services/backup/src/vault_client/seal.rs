//! File keys of sealed archives, wrapped and unwrapped by the vault.

use strongroom_age::FileKey;
use strongroom_api::vault::v1::{UnwrapFileKeyRequest, WrapFileKeyRequest, WrappedFileKey};
use strongroom_archive::seal::VaultStanza;
use tonic::Code;

use super::client::{VaultClient, limited};
use crate::error::{Error, Result};

impl VaultClient {
    /// Has the vault wrap the file key of an archive.
    pub(crate) async fn wrap_file_key(&self, file_key: &FileKey, archive_id: &str) -> Result<VaultStanza> {
        let file_key = file_key.expose().to_vec().into();
        let request = limited(WrapFileKeyRequest { file_key, archive_id: archive_id.to_owned() });
        let answer = self.seals.clone().wrap_file_key(request).await;
        let wrapped = answer.map_err(|status| self.error(status))?.into_inner();
        Ok(VaultStanza::new(&wrapped.root_key_id, wrapped.wrapped.into())?)
    }

    /// The file key of the first of `stanzas` that opens; the inner error says why the vault cannot open any of them.
    ///
    /// # Errors
    /// As for the other calls, if the vault cannot answer.
    pub(crate) async fn unwrap_file_key(&self, stanzas: &[VaultStanza]) -> Result<Result<FileKey, String>> {
        let stanza = |stanza: &VaultStanza| WrappedFileKey {
            root_key_id: stanza.root_key_id().to_owned(),
            wrapped: stanza.wrapped().to_vec().into(),
        };
        let request = limited(UnwrapFileKeyRequest { stanzas: stanzas.iter().map(stanza).collect() });
        match self.seals.clone().unwrap_file_key(request).await {
            Ok(answer) => {
                let key = FileKey::from_slice(&answer.into_inner().file_key);
                let strange = || Error::Defect("the vault's file key has an invalid form".into());
                key.map(Ok).ok_or_else(strange)
            }
            Err(status) if matches!(status.code(), Code::FailedPrecondition | Code::InvalidArgument) => {
                Ok(Err(status.message().to_owned()))
            }
            Err(status) => Err(self.error(status)),
        }
    }
}
