//! Signatures of manifests: one for each archive.

use async_trait::async_trait;
use sqlx_macros::FromRow;
use strongroom_store::Result;

use super::{ArchiveNeeds, NewEvent};

/// The `manifest_signatures` table.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct SignatureRow {
    /// The archive.
    pub archive_id: String,
    /// SHA-256 of the manifest.
    pub sha256: Vec<u8>,
    /// The version of the signing key.
    pub kid: String,
    /// 64 bytes.
    pub signature: Vec<u8>,
    /// Time of the signature.
    pub time: i64,
}

/// Result of recording a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signed {
    /// It is recorded, with its event.
    Done,
    /// The archive already has this signature.
    Before(SignatureRow),
    /// The archive has no pins that are still to be narrowed, so it is not being made.
    Unpinned,
}

/// Signatures in the database.
#[async_trait]
pub(crate) trait SignatureStore: Send + Sync {
    /// Records the first signature of an archive that has pins, and narrows these to `needs`.
    async fn record_signature(
        &self,
        row: &SignatureRow,
        needs: Option<(&ArchiveNeeds, &NewEvent)>,
        event: &NewEvent,
    ) -> Result<Signed>;
}

pub(super) const FIND: &str = "
    SELECT archive_id, sha256, kid, signature, time FROM manifest_signatures WHERE archive_id = $1";

pub(super) const INSERT: &str = "
    INSERT INTO manifest_signatures (archive_id, sha256, kid, signature, time) VALUES ($1, $2, $3, $4, $5)";

pub(super) const COUNT_PINS_OF: &str = "
    SELECT count(*) FROM key_pins WHERE archive_id = $1 AND is_open AND (expire_time IS NULL OR expire_time > $2)";
