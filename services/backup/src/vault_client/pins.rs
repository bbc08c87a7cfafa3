//! Pins of key versions: the vault keeps the versions that an archive needs while the archive is made, and afterwards
//! as long as somebody may have it.

use std::collections::HashMap;
use std::time::Duration;

use strongroom_api::time::timestamp;
use strongroom_api::vault::v1::{NarrowKeyPinsRequest, PinKeyVersionsRequest, ReleaseKeyPinsRequest};

use super::client::{VaultClient, limited};
use crate::error::{Error, Result};

/// Waits before retrying a release: long enough for a vault to restart.
const RETRIES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// The key versions that an archive pins: key by kid.
pub(crate) struct PinnedVersions(HashMap<String, String>);

impl PinnedVersions {
    /// Whether `kid` is a version of any key.
    pub(crate) fn has_version(&self, kid: &str) -> bool {
        self.0.contains_key(kid)
    }

    /// Whether `kid` is a version of `key`.
    pub(crate) fn has(&self, key: &str, kid: &str) -> bool {
        self.0.get(kid).is_some_and(|other| other == key)
    }
}

impl VaultClient {
    /// Pins every version that an archive may need, until a time in microseconds. A repeated call adds versions created
    /// since.
    pub(crate) async fn pin(&self, archive_id: &str, until: i64) -> Result<PinnedVersions> {
        let request =
            PinKeyVersionsRequest { archive_id: archive_id.to_owned(), expire_time: Some(timestamp(until)) };
        let answer = self.keys.clone().pin_key_versions(limited(request)).await;
        let versions = answer.map_err(|status| self.error(status))?.into_inner().versions;
        Ok(PinnedVersions(versions.into_iter().map(|version| (version.kid, version.key_id)).collect()))
    }

    /// Releases the pins of an archive that was not completed. If the vault stays unavailable, they expire by
    /// themselves.
    pub(crate) async fn release_pins(&self, archive_id: &str) {
        let mut released = self.try_release(archive_id).await;
        for wait in RETRIES {
            if !matches!(released, Err(Error::VaultAway { .. } | Error::VaultBusy { .. })) {
                break;
            }
            tokio::time::sleep(wait).await;
            released = self.try_release(archive_id).await;
        }
        if let Err(error) = released {
            tracing::warn!(archive_id, %error, "the pins of an archive are held until they lapse");
        }
    }

    /// Pins the versions that a stored archive needs, until they are released.
    pub(crate) async fn assert_pins(&self, archive_id: &str, kids: Vec<String>) -> Result<()> {
        let request = NarrowKeyPinsRequest { archive_id: archive_id.to_owned(), kids, expire_time: None };
        self.keys.clone().narrow_key_pins(limited(request)).await.map_err(|status| self.error(status))?;
        Ok(())
    }

    /// Releases the pins of an archive, if it has any.
    pub(crate) async fn try_release(&self, archive_id: &str) -> Result<()> {
        let request = ReleaseKeyPinsRequest { archive_id: archive_id.to_owned() };
        self.keys.clone().release_key_pins(limited(request)).await.map_err(|status| self.error(status))?;
        Ok(())
    }
}
