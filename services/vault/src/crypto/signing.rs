//! Signs archive manifests and sidecars of stored backups, and exports the public keys that verify the signatures
//! without the vault.

use std::sync::Arc;

use strongroom_api::time::{timestamp, to_jiff};
use strongroom_crypto::{DocumentDigest, Kid, PublicKey, SIGNATURE_BYTES, Statement};
use strongroom_runtime::{Caller, Clock};

use crate::audit::{Event, UseLog};
use crate::error::{Error, Result};
use crate::keys::{Ring, narrowed};
use crate::store::key_names::SIGNING_KEY;
use crate::store::{ArchiveNeeds, SignatureRow, Signed, Store};

/// The signing key.
pub(crate) struct Signing {
    store: Arc<dyn Store>,
    ring: Arc<Ring>,
    uses: Arc<UseLog>,
    clock: Arc<dyn Clock>,
}

/// A signature of a sidecar.
pub(crate) struct SidecarSignature {
    pub(crate) kid: Kid,
    pub(crate) signature: [u8; SIGNATURE_BYTES],
    /// Part of the signed statement, in microseconds.
    pub(crate) time: i64,
}

impl Signing {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        ring: Arc<Ring>,
        uses: Arc<UseLog>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, ring, uses, clock }
    }

    /// Signs the manifest that has this SHA-256, by the primary version of the signing key. The archive must be in the
    /// making and have no other signed manifest; its pins are narrowed to `needs`. The events are committed before the
    /// signature leaves.
    pub(crate) async fn sign_manifest(
        &self,
        caller: &Caller,
        archive_id: &str,
        digest: &DocumentDigest,
        needs: Option<&ArchiveNeeds>,
    ) -> Result<SignatureRow> {
        let time = self.clock.now_micros();
        let statement = Statement::ArchiveManifest { archive_id, time: &time_text(time)?, digest };
        let (kid, signature) = self.ring.current().sign(SIGNING_KEY, &statement)?;
        let row = SignatureRow {
            archive_id: archive_id.to_owned(),
            sha256: digest.to_vec(),
            kid: kid.to_string(),
            signature: signature.to_vec(),
            time,
        };
        let event = Event::by(caller, time, "crypto.manifest_signed", archive_id)
            .with("kid", row.kid.as_str())
            .with("sha256", hex::encode(digest))
            .finish();
        let narrowed = needs.map(|needs| (needs, narrowed(caller, time, archive_id, needs)));
        let needs = narrowed.as_ref().map(|(needs, event)| (*needs, event));
        match self.store.record_signature(&row, needs, &event).await? {
            Signed::Done => Ok(row),
            Signed::Before(before) if before.sha256 == row.sha256 => {
                // The earlier call may not have had these needs.
                if let Some((needs, event)) = needs {
                    self.store.narrow_pins(archive_id, needs, event).await?;
                }
                Ok(before)
            }
            Signed::Before(_) => Err(Error::ArchiveSigned(archive_id.to_owned())),
            Signed::Unpinned => Err(Error::ArchiveNotPinned(archive_id.to_owned())),
        }
    }

    /// Signs the sidecar's record that has this SHA-256, by the primary version of the signing key. A record changes
    /// with each hold, deletion and verification of its backup, so the sidecar signatures of an archive are neither
    /// counted nor stored; each has an event in the log, committed before the signature leaves.
    pub(crate) async fn sign_sidecar(
        &self,
        caller: &Caller,
        archive_id: &str,
        digest: &DocumentDigest,
    ) -> Result<SidecarSignature> {
        let time = self.clock.now_micros();
        let statement = Statement::BackupSidecar { archive_id, time: &time_text(time)?, digest };
        let (kid, signature) = self.ring.current().sign(SIGNING_KEY, &statement)?;
        let event = Event::by(caller, time, "crypto.sidecar_signed", archive_id)
            .with("kid", kid.to_string())
            .with("sha256", hex::encode(digest));
        self.uses.commit(event.finish(), None).await?;
        Ok(SidecarSignature { kid, signature, time })
    }

    /// The public halves of the signing key's versions. They are public, so reading them records no event.
    pub(crate) fn public_keys(&self) -> Vec<PublicKey> {
        self.ring.current().public_keys(SIGNING_KEY)
    }
}

/// RFC 3339 with six decimals, as in the signed statement.
fn time_text(micros: i64) -> Result<String> {
    let time = to_jiff(&timestamp(micros)).ok_or_else(|| Error::Inconsistent("the clock".into()))?;
    Ok(format!("{time:.6}"))
}
