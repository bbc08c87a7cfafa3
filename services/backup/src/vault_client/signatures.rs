//! Signatures of manifests: made by the vault, verified here with its public keys.

use sha2::{Digest as _, Sha256};
use strongroom_api::time::to_jiff;
use strongroom_api::vault::v1::sign_manifest_request::Needs;
use strongroom_api::vault::v1::{ExportSigningKeyRequest, SignManifestRequest, SignSidecarRequest};
use strongroom_archive::ManifestSignature;
use strongroom_crypto::PUBLIC_KEY_BYTES;

use super::client::{VaultClient, limited};
use crate::error::{Error, Result};

/// A public half of the vault's signing key.
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    pub(crate) public: [u8; PUBLIC_KEY_BYTES],
}

/// The vault's signature of a sidecar.
pub(crate) struct SidecarSignature {
    pub(crate) kid: String,
    /// RFC 3339 in UTC with six decimals.
    pub(crate) time: String,
    pub(crate) bytes: Vec<u8>,
}

impl SigningKey {
    /// Parses the hex digits of the vault's answer.
    pub(super) fn parse(kid: String, public_key: &str) -> Result<Self> {
        let public = hex::decode(public_key).ok().and_then(|bytes| bytes.try_into().ok());
        let strange = || Error::Defect("the vault's signing key has an invalid form".into());
        Ok(Self { kid, public: public.ok_or_else(strange)? })
    }
}

impl VaultClient {
    /// Has the vault sign an archive's manifest. The vault gets its digest, because a manifest may be longer than a
    /// message. From then on, the archive pins only the versions that it `needs`.
    pub(crate) async fn sign_manifest(
        &self,
        archive_id: &str,
        manifest: &[u8],
        needs: Needs,
    ) -> Result<ManifestSignature> {
        let request = limited(SignManifestRequest {
            archive_id: archive_id.to_owned(),
            sha256: Sha256::digest(manifest).to_vec().into(),
            needs: Some(needs),
            ..SignManifestRequest::default()
        });
        let answer = self.crypto.clone().sign_manifest(request).await;
        let signed = answer.map_err(|status| self.error(status))?.into_inner();
        let time = signed.time.as_ref().and_then(to_jiff);
        let signature =
            time.and_then(|time| ManifestSignature::new(&signed.kid, archive_id, time, &signed.signature));
        signature.ok_or_else(|| Error::Defect("the vault's signature has an invalid form".into()))
    }

    /// Has the vault sign the record of a sidecar.
    pub(crate) async fn sign_sidecar(&self, archive_id: &str, record: &str) -> Result<SidecarSignature> {
        let sha256 = Sha256::digest(record).to_vec().into();
        let request = limited(SignSidecarRequest { archive_id: archive_id.to_owned(), sha256 });
        let answer = self.crypto.clone().sign_sidecar(request).await;
        let signed = answer.map_err(|status| self.error(status))?.into_inner();
        let strange = || Error::Defect("the vault's signature has an invalid form".into());
        let time = signed.time.as_ref().and_then(to_jiff).ok_or_else(strange)?;
        Ok(SidecarSignature { kid: signed.kid, time: format!("{time:.6}"), bytes: signed.signature.to_vec() })
    }

    /// Public halves of the versions in use; signatures of disabled or destroyed versions are no longer accepted.
    pub(crate) async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        let answer = self.crypto.clone().export_signing_key(limited(ExportSigningKeyRequest {})).await;
        let keys = answer.map_err(|status| self.error(status))?.into_inner().keys;
        let mut known = Vec::with_capacity(keys.len());
        for key in keys {
            known.push(SigningKey::parse(key.kid, &key.public_key)?);
        }
        Ok(known)
    }
}
