//! The key ring for an archive, and the census of the columns that need its versions.

use std::collections::HashMap;

use serde::Serialize;
use strongroom_api::time::timestamp;
use strongroom_api::vault::v1::{ExportKeyRingRequest, ReportKeyCensusRequest};

use super::client::{VaultClient, limited};
use crate::error::{Error, Result};

/// The ring for an archive.
pub(crate) struct KeyRing {
    /// The root key that restoring needs.
    pub(crate) root_key_id: String,
    /// The document for `keys/ring.json`.
    pub(crate) json: Vec<u8>,
    /// Key and kid of each version.
    versions: Vec<(String, String)>,
}

impl KeyRing {
    /// Whether `kid` is a version of any key.
    pub(crate) fn has_version(&self, kid: &str) -> bool {
        self.versions.iter().any(|(_, version)| version == kid)
    }

    /// Whether `kid` is a version of `key`.
    pub(crate) fn has(&self, key: &str, kid: &str) -> bool {
        self.versions.iter().any(|(other, version)| other == key && version == kid)
    }
}

#[derive(Serialize)]
struct RingDocument<'a> {
    root_key_id: &'a str,
    versions: Vec<RingVersion<'a>>,
}

#[derive(Serialize)]
struct RingVersion<'a> {
    kid: &'a str,
    key_id: &'a str,
    purpose: &'a str,
    number: i32,
    state: &'a str,
    root_key_id: &'a str,
    wrapped: &'a str,
}

impl VaultClient {
    /// The key ring as the root key wraps it.
    pub(crate) async fn key_ring(&self) -> Result<KeyRing> {
        let answer = self.keys.clone().export_key_ring(limited(ExportKeyRingRequest {})).await;
        let ring = answer.map_err(|status| self.error(status))?.into_inner();
        let mut versions = Vec::with_capacity(ring.versions.len());
        for version in &ring.versions {
            versions.push(RingVersion {
                kid: &version.kid,
                key_id: &version.key_id,
                purpose: &version.purpose,
                number: version.number,
                state: &version.state,
                root_key_id: &version.root_key_id,
                wrapped: &version.wrapped,
            });
        }
        let document = RingDocument { root_key_id: &ring.root_key_id, versions };
        let mut json = serde_json::to_vec_pretty(&document)
            .map_err(|error| Error::Defect(format!("the key ring makes no JSON: {error}")))?;
        json.push(b'\n');
        let versions = ring.versions.into_iter().map(|version| (version.key_id, version.kid)).collect();
        Ok(KeyRing { root_key_id: ring.root_key_id, json, versions })
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
