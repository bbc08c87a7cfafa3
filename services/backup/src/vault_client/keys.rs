//! The key ring for an archive and of one, and the census of the columns that need its versions.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use strongroom_api::time::timestamp;
use strongroom_api::vault::v1::{ExportKeyRingRequest, InspectRingRequest, ReportKeyCensusRequest};
use tonic::Code;

use super::client::{VaultClient, limited};
use super::signatures::SigningKey;
use crate::error::Result;

/// The ring for an archive.
pub(crate) struct KeyRing {
    /// The root key that restoring needs.
    pub(crate) root_key_id: String,
    /// The document for `keys/ring.json`.
    pub(crate) json: Vec<u8>,
    /// The versions of which it has the bytes.
    pub(crate) kids: Vec<String>,
    /// Which vault it is of.
    pub(crate) deployment_id: String,
}

/// An archive's ring as the vault sees it.
pub(crate) struct InspectedRing {
    /// The root key that wraps it.
    pub(crate) root_key_id: String,
    /// Whether the vault has that root key.
    pub(crate) root_key_known: bool,
    /// All versions in it.
    pub(crate) kids: BTreeSet<String>,
    /// Public halves of signing versions that the root key vouches for, and that the vault has not retired.
    pub(crate) signing_keys: Vec<SigningKey>,
    /// Which vault it is of, and whether that is this one.
    pub(crate) deployment_id: String,
    pub(crate) same_deployment: bool,
    /// Whether its root key is the vault's current one.
    pub(crate) root_key_current: bool,
    /// Whether the vault has no credentials.
    pub(crate) vault_empty: bool,
    /// This service, as the vault names it.
    pub(crate) principal: String,
}

impl VaultClient {
    /// The key ring as the root key wraps it, for an archive whose values need `kids`.
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

    /// What the vault thinks of an archive's ring.
    ///
    /// # Errors
    /// Also for a ring that was changed: the inner error says why, and the outer one is the vault's.
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

    /// Reports how many values of `key` a column holds: by kid, as counted at a time in microseconds.
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
