//! Re-sealing values of caller keys by the vault, and the versions of those keys.

use std::collections::HashMap;
use std::time::Duration;

use strongroom_api::vault::v1::{
    BatchRewrapRequest, BatchRewrapResult, ListKeyVersionsRequest, RewrapRequest,
};

use super::client::{VaultClient, limited};
use crate::error::{Error, Result};

/// Waits before resending a batch: long enough for a vault to restart.
const RETRIES: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(2), Duration::from_secs(4)];

/// The versions of caller keys.
pub(crate) struct KeyVersions {
    /// Key by kid.
    keys: HashMap<String, String>,
    /// Primary kid by key.
    primaries: HashMap<String, String>,
}

impl KeyVersions {
    /// The version of `key` that seals now; `None` if there is no such caller key.
    pub(crate) fn primary(&self, key: &str) -> Option<&str> {
        self.primaries.get(key).map(String::as_str)
    }

    /// Whether `kid` is a version of `key`.
    pub(crate) fn has(&self, key: &str, kid: &str) -> bool {
        self.keys.get(kid).is_some_and(|other| other == key)
    }
}

impl VaultClient {
    /// The current versions.
    pub(crate) async fn caller_key_versions(&self) -> Result<KeyVersions> {
        let answer = self.keys.clone().list_key_versions(limited(ListKeyVersionsRequest {})).await;
        let versions = answer.map_err(|status| self.error(status))?.into_inner().versions;
        let mut known = KeyVersions { keys: HashMap::new(), primaries: HashMap::new() };
        for version in versions.into_iter().filter(|version| version.purpose == "caller") {
            if version.state == "primary" {
                known.primaries.insert(version.key_id.clone(), version.kid.clone());
            }
            known.keys.insert(version.kid, version.key_id);
        }
        Ok(known)
    }

    /// Seals up to [`strongroom_api::limits::BATCH_ITEMS`] values again, with one result for each, in order. Repetition
    /// is harmless, so the call is retried for some seconds if the vault is unavailable or busy.
    pub(crate) async fn rewrap(&self, items: Vec<RewrapRequest>) -> Result<Vec<BatchRewrapResult>> {
        let asked = items.len();
        let request = BatchRewrapRequest { items };
        for wait in RETRIES {
            match self.try_rewrap(request.clone(), asked).await {
                Err(Error::VaultAway { .. } | Error::VaultBusy { .. }) => tokio::time::sleep(wait).await,
                answered => return answered,
            }
        }
        self.try_rewrap(request, asked).await
    }

    async fn try_rewrap(&self, request: BatchRewrapRequest, asked: usize) -> Result<Vec<BatchRewrapResult>> {
        let answer = self.crypto.clone().batch_rewrap(limited(request)).await;
        let results = answer.map_err(|status| self.error(status))?.into_inner().results;
        if results.len() == asked {
            return Ok(results);
        }
        Err(Error::Defect("the vault did not answer for each value that it was to seal again".into()))
    }
}
