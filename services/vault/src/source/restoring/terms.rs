//! The terms of one restore of the vault: what its grant and its stage allow.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, RestoreError, Result};
use crate::keys::OpenedRing;
use crate::store::StageRow;
use crate::store::restore::RestoreMode;

/// Prefix of the digested text.
const LABEL: &[u8] = b"strongroom restore terms v1\n";

/// The head of another log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OldHead {
    pub(crate) chain: String,
    pub(crate) sequence: i64,
    pub(crate) mac: String,
}

/// The terms. A grant covers their JSON, so the order of the fields is fixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// The service that restores.
    pub(crate) principal: String,
    pub(crate) restore_id: String,
    pub(crate) archive_id: String,
    /// Lower-case hex.
    pub(crate) manifest_sha256: String,
    pub(crate) deployment_id: String,
    pub(crate) mode: RestoreMode,
    pub(crate) revive_ids: BTreeSet<String>,
    pub(crate) as_copy: bool,
    pub(crate) from_deployment: String,
    pub(crate) accept_undecryptable: bool,
    /// Audit head of the archive's vault.
    pub(crate) old_head: Option<OldHead>,
}

impl Terms {
    /// Lower-case hex SHA-256.
    ///
    /// # Errors
    /// [`Error::Inconsistent`].
    pub(crate) fn digest(&self) -> Result<String> {
        let json = self.to_json()?;
        Ok(hex::encode(Sha256::new().chain_update(LABEL).chain_update(json).finalize()))
    }

    /// Checks the deployment that the service named for the archive's rows or values against the ring, whose MAC
    /// authenticates its deployment.
    ///
    /// # Errors
    /// [`RestoreError::ForeignDeployment`].
    pub(crate) fn check_deployment_of(&self, opened: &OpenedRing) -> Result<()> {
        let found = &opened.deployment_id;
        let wanted = &self.from_deployment;
        if self.deployment_id != *found || (!wanted.is_empty() && wanted != found) {
            return Err(RestoreError::ForeignDeployment { found: found.clone() }.into());
        }
        Ok(())
    }

    pub(super) fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::Inconsistent(format!("terms: {error}")))
    }

    /// The terms of a stage.
    pub(super) fn of(stage: &StageRow) -> Result<Self> {
        serde_json::from_str(&stage.terms)
            .map_err(|_| Error::Inconsistent(format!("restore_stages.terms of {}", stage.id)))
    }
}
