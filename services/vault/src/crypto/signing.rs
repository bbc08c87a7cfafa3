//! Signing archive manifests, and the public halves that verify them without the vault.

use strongroom_crypto::{DocumentDigest, Kid, PublicKey, SIGNATURE_BYTES, SignatureDomain};
use strongroom_runtime::Caller;

use crate::error::Result;
use crate::keys::SIGNING_KEY;
use crate::vault::Vault;

impl Vault {
    /// Signs the manifest with this SHA-256 by the primary version. The event names it and is committed before
    /// the signature leaves.
    pub(crate) async fn sign_manifest(
        &self,
        caller: &Caller,
        digest: &DocumentDigest,
    ) -> Result<(Kid, [u8; SIGNATURE_BYTES])> {
        let domain = SignatureDomain::ArchiveManifest;
        let (kid, signature) = self.ring().sign_digest(SIGNING_KEY, domain, digest)?;
        let event = self
            .event(caller, "crypto.manifest_signed", SIGNING_KEY)
            .with("kid", kid.to_string())
            .with("sha256", hex::encode(digest));
        self.log.commit(event.finish(), None).await?;
        Ok((kid, signature))
    }

    /// Public, so reading it is not an event.
    pub(crate) fn signing_keys(&self) -> Vec<PublicKey> {
        self.ring().public_keys(SIGNING_KEY)
    }
}
