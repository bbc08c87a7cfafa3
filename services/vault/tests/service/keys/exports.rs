//! An export interleaved at every step with a retirement of keys: every archive keeps the keys that it needs.

use std::collections::BTreeSet;
use std::time::Duration;

use strongroom_api::vault::v1::sign_manifest_request::Needs;
use strongroom_api::vault::v1::{
    DestroyKeyVersionRequest, ExportKeyRingRequest, PinKeyVersionsRequest, SignManifestRequest,
};

use tokio::task::JoinSet;

use super::{FOLLOWED, destroy, disable, reencrypt, rotate, states, versions, with_secret};
use crate::support::{Clients, TestVault, eventually};

const ARCHIVE: &str = "archive-1";
/// Number of steps of an export; a retirement can precede each.
const STEPS: usize = 5;

/// An export, as the backup service makes it.
struct Export {
    service: Clients,
    /// Versions named by the snapshot's values.
    needs: BTreeSet<String>,
    /// Versions whose bytes the archive contains.
    carries: BTreeSet<String>,
}

impl Export {
    async fn step(&mut self, vault: &TestVault, step: usize) {
        let archive_id = ARCHIVE.to_owned();
        match step {
            0 | 2 => {
                let pin = PinKeyVersionsRequest { archive_id, expire_time: None };
                self.service.keys.pin_key_versions(pin).await.unwrap();
            }
            1 => {
                let sealed = vault.database.text("SELECT secret FROM credentials");
                self.needs = BTreeSet::from([sealed.split('.').nth(1).unwrap().to_owned()]);
            }
            3 => {
                let kids = self.needs.iter().cloned().collect();
                let ring = self.service.keys.export_key_ring(ExportKeyRingRequest { kids }).await.unwrap();
                self.carries = ring.into_inner().kids.into_iter().collect();
            }
            _ => {
                let needs = Needs { kids: self.carries.iter().cloned().collect(), expire_time: None };
                let sign = SignManifestRequest {
                    archive_id,
                    sha256: vec![7; 32].into(),
                    needs: Some(needs),
                    ..Default::default()
                };
                self.service.crypto.sign_manifest(sign).await.unwrap();
            }
        }
    }
}

/// Moves every value to a new version, and retires the other versions as far as the vault allows it.
async fn retire(vault: &TestVault, admin: &mut Clients) {
    rotate(admin, "credential").await;
    vault.clock.advance(FOLLOWED);
    reencrypt(admin, 0).await;
    let old = versions(admin, "credential").await.into_iter().filter(|one| one.state == "decrypt-only");
    for version in old {
        if disable(admin, &version.kid).await.is_ok() {
            let after = Some(prost_types::Duration { seconds: 3600, nanos: 0 });
            let request = DestroyKeyVersionRequest { kid: version.kid, after };
            admin.keys.destroy_key_version(request).await.unwrap();
        }
    }
    vault.clock.advance(Duration::from_secs(2 * 3600));
    // Long enough for the task that destroys due versions every two seconds.
    tokio::time::sleep(Duration::from_millis(2500)).await;
}

#[tokio::test]
async fn no_archive_is_left_without_its_key() {
    let mut running = JoinSet::new();
    for first in 0..STEPS {
        for second in first + 1..=STEPS {
            running.spawn(interleaved(first, second));
        }
    }
    running.join_all().await;
}

/// Runs an export with retirements before these two steps; [`STEPS`] means after the last step.
async fn interleaved(first: usize, second: usize) {
    let vault = TestVault::standing().await;
    let mut admin = vault.admin().await;
    admin.create(with_secret("One")).await;
    let service = vault.with_role("backup-service").await;
    let mut export = Export { service, needs: BTreeSet::new(), carries: BTreeSet::new() };
    for step in 0..=STEPS {
        if step == first || step == second {
            retire(&vault, &mut admin).await;
        }
        if step < STEPS {
            export.step(&vault, step).await;
        }
    }
    let what = format!("before the steps {first} and {second}");
    assert!(export.needs.is_subset(&export.carries), "{what}");
    for version in versions(&mut admin, "credential").await {
        let is_needed = export.needs.contains(&version.kid);
        assert!(!is_needed || version.state != "destroyed", "{what}: {version:?}");
    }
}

#[tokio::test]
async fn what_no_archive_needs_is_destroyed_after_the_export() {
    let vault = TestVault::standing().await;
    let mut admin = vault.admin().await;
    admin.create(with_secret("One")).await;
    let service = vault.with_role("backup-service").await;
    let mut export = Export { service, needs: BTreeSet::new(), carries: BTreeSet::new() };
    rotate(&mut admin, "credential").await;
    reencrypt(&mut admin, 0).await;
    for step in 0..STEPS {
        export.step(&vault, step).await;
    }
    let old = versions(&mut admin, "credential").await.remove(0);
    disable(&mut admin, &old.kid).await.unwrap();
    destroy(&mut admin, &old.kid).await.unwrap();
    vault.clock.advance(Duration::from_secs(8 * 86_400));
    eventually(async || (states(&mut admin, "credential").await[0] == "destroyed").then_some(())).await;
}
