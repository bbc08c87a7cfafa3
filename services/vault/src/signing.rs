//! Signing archive manifests, and the public halves that verify them without the vault.

use sha2::{Digest as _, Sha256};
use strongroom_crypto::{Kid, PublicKey, SIGNATURE_BYTES, SignatureDomain};
use strongroom_runtime::Caller;

use crate::error::{Error, Result};
use crate::keys::SIGNING_KEY;
use crate::vault::Vault;

/// The longest manifest in bytes.
const MAX_MANIFEST: usize = 4 << 20;

impl Vault {
    /// Signs with the primary version. The event names the manifest by its SHA-256 and is committed before
    /// the signature leaves.
    pub(crate) async fn sign_manifest(
        &self,
        caller: &Caller,
        manifest: &[u8],
    ) -> Result<(Kid, [u8; SIGNATURE_BYTES])> {
        let refuse = |problem: String| Err(Error::Field { field: "manifest", problem });
        match manifest.len() {
            0 => return refuse("must not be empty".into()),
            bytes if bytes > MAX_MANIFEST => {
                return refuse(format!("has {bytes} bytes; at most {MAX_MANIFEST} are allowed"));
            }
            _ => {}
        }
        let (kid, signature) = self.ring().sign(SIGNING_KEY, SignatureDomain::ArchiveManifest, manifest)?;
        let event = self
            .event(caller, "crypto.manifest_signed", SIGNING_KEY)
            .with("kid", kid.to_string())
            .with("sha256", hex::encode(Sha256::digest(manifest)));
        self.log.commit(event.finish(), None).await?;
        Ok((kid, signature))
    }

    /// Public, so reading it is not an event.
    pub(crate) fn signing_keys(&self) -> Vec<PublicKey> {
        self.ring().public_keys(SIGNING_KEY)
    }
}
