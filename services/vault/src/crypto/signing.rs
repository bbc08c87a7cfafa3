//! Signing archive manifests, and exporting the public keys that verify signatures without the vault.

use std::sync::Arc;

use strongroom_crypto::{DocumentDigest, Kid, PublicKey, SIGNATURE_BYTES, SignatureDomain};
use strongroom_runtime::{Caller, Clock};

use crate::audit::{Event, UseLog};
use crate::error::Result;
use crate::keys::Ring;
use crate::store::key_names::SIGNING_KEY;

/// The signing key.
pub(crate) struct Signing {
    ring: Arc<Ring>,
    uses: Arc<UseLog>,
    clock: Arc<dyn Clock>,
}

impl Signing {
    pub(crate) fn new(ring: Arc<Ring>, uses: Arc<UseLog>, clock: Arc<dyn Clock>) -> Self {
        Self { ring, uses, clock }
    }

    /// Signs the manifest with this SHA-256 by the primary version. The event names it and is committed before
    /// the signature leaves.
    pub(crate) async fn sign_manifest(
        &self,
        caller: &Caller,
        digest: &DocumentDigest,
    ) -> Result<(Kid, [u8; SIGNATURE_BYTES])> {
        let domain = SignatureDomain::ArchiveManifest;
        let (kid, signature) = self.ring.current().sign_digest(SIGNING_KEY, domain, digest)?;
        let event = Event::by(caller, self.clock.now_micros(), "crypto.manifest_signed", SIGNING_KEY)
            .with("kid", kid.to_string())
            .with("sha256", hex::encode(digest));
        self.uses.commit(event.finish(), None).await?;
        Ok((kid, signature))
    }

    /// The public halves of the signing key's versions. They are public, so reading them is no event.
    pub(crate) fn public_keys(&self) -> Vec<PublicKey> {
        self.ring.current().public_keys(SIGNING_KEY)
    }
}
