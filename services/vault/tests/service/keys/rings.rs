//! Rings of archives: a new vault uses an older vault's ring, and the rings of two vaults are merged.

use std::time::Duration;

use bytes::Bytes;
use strongroom_api::vault::v1::check_decryptable_request::Item;
use strongroom_api::vault::v1::{
    CheckDecryptableRequest, DecryptRequest, EncryptRequest, ExportKeyRingRequest, InspectRingRequest,
    InspectRingResponse, KeyVersion, MergeKeyRingRequest, MergeKeyRingResponse, PinKeyVersionsRequest,
    ReleaseKeyPinsRequest,
};
use tokio_stream::iter;
use tonic::{Code, Status};

use super::{FOLLOWED, create_key, disable, report, rotate, versions};
use crate::support::{Clients, TestVault, assert_refused};

const KEY: &str = "payments";

/// A vault with a caller key, a value that it sealed, and the vault's ring.
struct Older {
    admin: Clients,
    kid: String,
    ciphertext: String,
    ring: Bytes,
}

impl Older {
    async fn of(vault: &TestVault) -> Self {
        let mut admin = vault.admin().await;
        let kid = create_key(&mut admin, KEY).await;
        let plaintext = "value".into();
        let request = EncryptRequest { key_id: KEY.into(), plaintext, aad: "row".into() };
        let ciphertext = admin.crypto.encrypt(request).await.unwrap().into_inner().ciphertext;
        let ring = export(&mut admin, &[&kid]).await;
        Self { admin, kid, ciphertext, ring }
    }
}

async fn export(admin: &mut Clients, kids: &[&str]) -> Bytes {
    let kids = kids.iter().map(|kid| (*kid).to_owned()).collect();
    admin.keys.export_key_ring(ExportKeyRingRequest { kids }).await.unwrap().into_inner().ring
}

async fn inspect(admin: &mut Clients, ring: &Bytes) -> Result<InspectRingResponse, Status> {
    let request = InspectRingRequest { ring: ring.clone() };
    Ok(admin.keys.inspect_ring(request).await?.into_inner())
}

async fn merge(admin: &mut Clients, ring: &Bytes) -> Result<MergeKeyRingResponse, Status> {
    let request = MergeKeyRingRequest { ring: ring.clone() };
    Ok(admin.keys.merge_key_ring(request).await?.into_inner())
}

/// The verdict on one value, with the given ring if any: empty if it would open.
async fn verdict(admin: &mut Clients, ring: Option<&Bytes>, ciphertext: &str) -> Result<String, Status> {
    let item =
        Item { key_id: KEY.into(), ciphertext: ciphertext.into(), aad: "row".into(), ..Default::default() };
    let first = ring.map(|ring| CheckDecryptableRequest { ring: ring.clone(), items: Vec::new() });
    let second = CheckDecryptableRequest { items: vec![item], ..Default::default() };
    let requests: Vec<_> = first.into_iter().chain([second]).collect();
    let mut answers = admin.crypto.check_decryptable(iter(requests)).await?.into_inner();
    let mut last = String::new();
    while let Some(answer) = answers.message().await? {
        last = answer.verdicts.into_iter().next().map(|verdict| verdict.reason).unwrap_or_default();
    }
    Ok(last)
}

async fn opens(admin: &mut Clients, ciphertext: &str) -> Result<Bytes, Status> {
    let request = DecryptRequest { key_id: KEY.into(), ciphertext: ciphertext.into(), aad: "row".into() };
    Ok(admin.crypto.decrypt(request).await?.into_inner().plaintext)
}

#[tokio::test]
async fn a_new_vault_with_the_same_root_key_uses_an_older_ones_ring() {
    for (older, newer) in TestVault::pairs().await {
        let Older { mut admin, kid, ciphertext, ring } = Older::of(&older).await;
        let mut new = newer.admin().await;
        assert_eq!(verdict(&mut new, None, &ciphertext).await.unwrap(), "KEY_NOT_FOUND");
        assert_eq!(verdict(&mut new, Some(&ring), &ciphertext).await.unwrap(), "");
        let inspected = inspect(&mut new, &ring).await.unwrap();
        assert!(inspected.root_key_known && !inspected.same_deployment);
        let own = inspect(&mut admin, &ring).await.unwrap();
        assert!(own.same_deployment && own.deployment_id == inspected.deployment_id);
        for version in &inspected.versions {
            let has_key = version.purpose == "signing";
            assert_eq!(version.public_key.len(), if has_key { 64 } else { 0 }, "{version:?}");
            let is_shared = ["caller", "signing"].contains(&version.purpose.as_str());
            assert_eq!(version.opens, is_shared, "{version:?}: only shared versions with bytes open");
            assert_eq!(version.live_state, "");
        }
        assert_eq!(verdict(&mut new, None, &ciphertext).await.unwrap(), "KEY_NOT_FOUND", "nothing is stored");

        // A version that this vault has disabled stays disabled, whatever state the archive's ring gives it.
        rotate(&mut admin, KEY).await;
        older.run(&format!("DELETE FROM key_census WHERE kid = '{kid}'"));
        report(&mut admin, KEY, &[]).await;
        older.clock.advance(FOLLOWED);
        report(&mut admin, KEY, &[]).await;
        disable(&mut admin, &kid).await.unwrap();
        assert_eq!(verdict(&mut admin, Some(&ring), &ciphertext).await.unwrap(), "KEY_VERSION_UNUSABLE");
        let version = inspect(&mut admin, &ring).await.unwrap().versions;
        let version = version.into_iter().find(|version| version.kid == kid).unwrap();
        assert_eq!((version.live_state.as_str(), version.opens), ("disabled", false));
    }
}

#[tokio::test]
async fn a_ring_of_another_root_key_or_a_changed_one_is_refused() {
    for vault in TestVault::each().await {
        let Older { mut admin, ciphertext, ring, .. } = Older::of(&vault).await;
        let stranger = TestVault::sqlite().await;
        let mut other = stranger.admin().await;
        let inspected = inspect(&mut other, &ring).await.unwrap();
        assert!(!inspected.root_key_known && inspected.versions.iter().all(|version| !version.opens));
        assert_eq!(inspected.root_key_id, vault.root_key().id().to_string());
        let refused = merge(&mut other, &ring).await;
        assert!(refused.as_ref().unwrap_err().message().contains(&inspected.root_key_id));
        assert_refused(refused, Code::FailedPrecondition, "ROOT_KEY_UNKNOWN");
        let refused = verdict(&mut other, Some(&ring), &ciphertext).await;
        assert_refused(refused, Code::FailedPrecondition, "ROOT_KEY_UNKNOWN");

        let text = String::from_utf8(ring.to_vec()).unwrap();
        for (from, to) in [
            ("\"primary\"", "\"decrypt-only\""),
            ("\"caller\"", "\"credential\""),
            ("\"payments\"", "\"payment\""),
            ("Z\"", "1Z\""),
            ("srk1.", "srk1.A"),
            ("\"deployment_id\":\"", "\"deployment_id\":\"0"),
            ("\"mac\":\"", "\"mac\":\"00"),
            ("\"versions\":[", "\"versions\":[],\"more\":["),
        ] {
            let changed: Bytes = text.replacen(from, to, 1).into();
            assert_ne!(changed, ring, "{from}");
            assert_refused(inspect(&mut admin, &changed).await, Code::InvalidArgument, "RING_INVALID");
            assert_refused(merge(&mut admin, &changed).await, Code::InvalidArgument, "RING_INVALID");
        }
    }
}

#[tokio::test]
async fn after_a_merge_the_values_of_both_open() {
    for (older, newer) in TestVault::pairs().await {
        let there = Older::of(&older).await;
        let mut here = Older::of(&newer).await;
        assert_refused(
            opens(&mut here.admin, &there.ciphertext).await,
            Code::InvalidArgument,
            "CIPHERTEXT_INVALID",
        );
        let merged = merge(&mut here.admin, &there.ring).await.unwrap();
        assert!(merged.added >= 2 && merged.primaries == 0, "{merged:?}");
        for ciphertext in [&here.ciphertext, &there.ciphertext] {
            assert_eq!(opens(&mut here.admin, ciphertext).await.unwrap(), "value");
        }
        let states: Vec<_> =
            versions(&mut here.admin, KEY).await.into_iter().map(|one| (one.kid, one.state)).collect();
        assert_eq!(
            states,
            [(here.kid.clone(), "primary".into()), (there.kid.clone(), "decrypt-only".into())]
        );
        let again = merge(&mut here.admin, &there.ring).await.unwrap();
        assert_eq!((again.added, again.disabled), (0, 0), "once more changes nothing");
        assert_eq!(here.admin.event_names("key.ring_merged").await.len(), 1);
    }
}

#[tokio::test]
async fn a_key_that_is_new_here_seals_with_a_version_of_its_own() {
    for (older, newer) in TestVault::pairs().await {
        let there = Older::of(&older).await;
        let mut new = newer.admin().await;
        let merged = merge(&mut new, &there.ring).await.unwrap();
        assert_eq!(merged.primaries, 1, "{merged:?}");
        assert_eq!(opens(&mut new, &there.ciphertext).await.unwrap(), "value");
        let request = EncryptRequest { key_id: KEY.into(), plaintext: "new".into(), aad: "row".into() };
        let sealed = new.crypto.encrypt(request).await.unwrap().into_inner();
        assert_ne!(sealed.kid, there.kid);
    }
}

/// A merged version was created by another clock, and the values that need it arrived after the merge: neither makes an
/// old count fresh.
#[tokio::test]
async fn a_count_from_before_a_rotation_or_a_merge_is_stale() {
    let (older, newer) = TestVault::pairs().await.remove(0);
    newer.clock.advance(Duration::from_secs(60));
    let mut here = Older::of(&newer).await;
    older.clock.advance(Duration::from_secs(3600));
    let there = Older::of(&older).await;
    newer.clock.advance(Duration::from_secs(7200));
    report(&mut here.admin, KEY, &[]).await;
    merge(&mut here.admin, &there.ring).await.unwrap();
    newer.clock.advance(Duration::from_secs(60));
    rotate(&mut here.admin, KEY).await;
    newer.clock.advance(FOLLOWED);
    for kid in [&here.kid, &there.kid] {
        let refused = disable(&mut here.admin, kid).await;
        assert_refused(refused, Code::FailedPrecondition, "KEY_CENSUS_STALE");
    }
    report(&mut here.admin, KEY, &[]).await;
    for kid in [&here.kid, &there.kid] {
        assert_eq!(disable(&mut here.admin, kid).await.unwrap(), "disabled");
    }
}

/// A version that the archive's vault has retired since is disabled here, once nothing here needs it; a primary version
/// stays.
#[tokio::test]
async fn a_merge_disables_what_was_retired_there_and_is_not_needed_here() {
    for (older, newer) in TestVault::pairs().await {
        let there = Older::of(&older).await;
        let mut here = newer.admin().await;
        merge(&mut here, &there.ring).await.unwrap();
        let mut admin = there.admin;
        older.clock.advance(Duration::from_secs(60));
        rotate(&mut admin, KEY).await;
        older.clock.advance(FOLLOWED);
        report(&mut admin, KEY, &[]).await;
        disable(&mut admin, &there.kid).await.unwrap();
        let retired = export(&mut admin, &[&there.kid]).await;

        let pin = PinKeyVersionsRequest { archive_id: "archive-1".into(), expire_time: None };
        here.keys.pin_key_versions(pin).await.unwrap();
        let merged = merge(&mut here, &retired).await.unwrap();
        assert_eq!((merged.disabled, merged.needed), (0, 1), "an archive needs it");
        here.keys.release_key_pins(ReleaseKeyPinsRequest { archive_id: "archive-1".into() }).await.unwrap();
        let merged = merge(&mut here, &retired).await.unwrap();
        assert_eq!((merged.disabled, merged.needed), (1, 0));
        let state = |versions: Vec<KeyVersion>, kid: &str| {
            versions.into_iter().find(|version| version.kid == kid).unwrap().state
        };
        assert_eq!(state(versions(&mut here, KEY).await, &there.kid), "disabled");
        assert_refused(
            opens(&mut here, &there.ciphertext).await,
            Code::FailedPrecondition,
            "KEY_VERSION_UNUSABLE",
        );

        let own = merge(&mut admin, &there.ring).await.unwrap();
        assert_eq!((own.added, own.disabled), (0, 0), "an older ring loosens nothing");
        assert_eq!(state(versions(&mut admin, KEY).await, &there.kid), "disabled");
    }
}
