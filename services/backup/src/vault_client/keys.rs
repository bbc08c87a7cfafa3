//! Key rings for and from archives, and the census of columns that need key versions.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use strongroom_api::time::timestamp;
use strongroom_api::vault::v1::{ExportKeyRingRequest, InspectRingRequest, ReportKeyCensusRequest};
use tonic::Code;

use super::client::{VaultClient, limited};
use super::signatures::SigningKey;
use crate::error::Result;

/// The key ring for an archive.
pub(crate) struct KeyRing {
    /// The root key that restoring needs.
    pub(crate) root_key_id: String,
    /// The document for `keys/ring.json`.
    pub(crate) json: Vec<u8>,
    /// The key versions whose bytes it contains.
    pub(crate) kids: Vec<String>,
    /// The vault that it belongs to.
    pub(crate) deployment_id: String,
}

/// An archive's ring, as inspected by the vault.
pub(crate) struct InspectedRing {
    /// The root key that wraps it.
    pub(crate) root_key_id: String,
    /// Whether the vault has that root key.
    pub(crate) root_key_known: bool,
    /// All key versions in it.
    pub(crate) kids: BTreeSet<String>,
    /// Public halves of signing versions that the root key vouches for and that the vault has not retired.
    pub(crate) signing_keys: Vec<SigningKey>,
    /// The vault that it belongs to, and whether that is this vault.
    pub(crate) deployment_id: String,
    pub(crate) same_deployment: bool,
    /// Whether its root key is the vault's current one.
    pub(crate) root_key_current: bool,
    /// Whether the vault has no credentials.
    pub(crate) vault_empty: bool,
    /// The vault's name for this service.
    pub(crate) principal: String,
}

impl VaultClient {
    /// The key ring, wrapped by the root key, for an archive whose values need `kids`.
    pub(crate) async fn key_ring(&self, kids: Vec<String>) -> Result<KeyRing> {
        let answer = self.keys.clone().export_key_ring(limited(ExportKeyRingRequest { kids })).await;
        let ring = answer.map_err(|status| self.error(status))?.into_inner();
        Ok(KeyRing {
            root_key_id: ring.root_key_id,
            json: ring.ring.to_vec(),
            kids: ring.kids,
            deployment_id: ring.deployment_id,
        })
    }

    /// Has the vault inspect an archive's ring.
    ///
    /// # Errors
    /// The inner error says why a ring is not valid, for example changed; the outer one is the vault's.
    pub(crate) async fn inspect_ring(&self, ring: &Bytes) -> Result<Result<InspectedRing, String>> {
        let answer = self.keys.clone().inspect_ring(limited(InspectRingRequest { ring: ring.clone() })).await;
        let inspected = match answer {
            Ok(answer) => answer.into_inner(),
            Err(status) if status.code() == Code::InvalidArgument => {
                return Ok(Err(status.message().to_owned()));
            }
            Err(status) => return Err(self.error(status)),
        };
        let kids = inspected.versions.iter().map(|version| version.kid.clone()).collect();
        let mut signing_keys = Vec::new();
        for version in inspected.versions.into_iter().filter(|version| !version.public_key.is_empty()) {
            signing_keys.push(SigningKey::parse(version.kid, &version.public_key)?);
        }
        Ok(Ok(InspectedRing {
            root_key_id: inspected.root_key_id,
            root_key_known: inspected.root_key_known,
            kids,
            signing_keys,
            deployment_id: inspected.deployment_id,
            same_deployment: inspected.same_deployment,
            root_key_current: inspected.root_key_current,
            vault_empty: inspected.vault_empty,
            principal: inspected.principal,
        }))
    }

    /// Reports the number of a column's values of `key` by kid, counted at a time in microseconds.
    pub(crate) async fn report_census(
        &self,
        key: &str,
        source: &str,
        column: &str,
        values: HashMap<String, i64>,
        time: i64,
    ) -> Result<()> {
        let request = limited(ReportKeyCensusRequest {
            key_id: key.to_owned(),
            column: column.to_owned(),
            source: source.to_owned(),
            values,
            count_time: Some(timestamp(time)),
        });
        self.keys.clone().report_key_census(request).await.map_err(|status| self.error(status))?;
        Ok(())
    }
}
