//! Archives pin the versions that they need.

use std::collections::BTreeSet;

use strongroom_api::vault::v1::sign_manifest_request::Needs;
use strongroom_api::vault::v1::{
    GetKeyCensusRequest, NarrowKeyPinsRequest, PinKeyVersionsRequest, ReleaseKeyPinsRequest,
    SignManifestRequest,
};
use strongroom_runtime::status::reason_of;

use super::{destroy, disable, rotate, versions};
use crate::support::{TestVault, metadata_of};

#[tokio::test]
async fn pins_of_archives_hold_a_version() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let old = versions(&mut admin, "credential").await[0].kid.clone();
        let pin = PinKeyVersionsRequest { archive_id: "archive-1".into(), expire_time: None };
        let pinned = admin.keys.pin_key_versions(pin.clone()).await.unwrap().into_inner().versions;
        let keys: BTreeSet<String> = pinned.into_iter().map(|version| version.key_id).collect();
        let expected = ["audit", "credential", "rows", "signing"].map(str::to_owned);
        assert_eq!(keys, BTreeSet::from(expected), "no page key");
        rotate(&mut admin, "credential").await;
        let refused = disable(&mut admin, &old).await.unwrap_err();
        assert_eq!(reason_of(&refused), "KEY_VERSION_IN_USE");
        assert_eq!(metadata_of(&refused)["archives"], "1");
        assert!(refused.message().contains("archive-1"), "{refused}");

        let narrow = |kids: &[&str]| NarrowKeyPinsRequest {
            archive_id: "archive-1".into(),
            kids: kids.iter().map(|kid| (*kid).to_owned()).collect(),
            expire_time: None,
        };
        // An unknown version, which may arrive with a ring that is merged later.
        admin.keys.narrow_key_pins(narrow(&["00000000000000ff"])).await.unwrap();
        admin.keys.narrow_key_pins(narrow(&[&old, &old])).await.unwrap();
        // As at each start of the backup service: nothing changes, so there is no event.
        admin.keys.narrow_key_pins(narrow(&[&old])).await.unwrap();
        let census = admin.keys.get_key_census(GetKeyCensusRequest::default()).await.unwrap().into_inner();
        assert_eq!((census.pins.len(), census.pins[0].kid.as_str()), (1, old.as_str()));
        let release = ReleaseKeyPinsRequest { archive_id: "archive-1".into() };
        admin.keys.release_key_pins(release.clone()).await.unwrap();
        admin.keys.release_key_pins(release).await.unwrap();
        assert_eq!(disable(&mut admin, &old).await.unwrap(), "disabled");
        assert_eq!(
            admin.event_names("key.pin*").await,
            ["key.pinned", "key.pins_narrowed", "key.pins_narrowed", "key.pins_released"]
        );
    }
}

#[tokio::test]
async fn a_refusal_names_some_of_the_archives_that_pin_a_version() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let old = versions(&mut admin, "credential").await[0].kid.clone();
        rotate(&mut admin, "credential").await;
        disable(&mut admin, &old).await.unwrap();
        let mut pin = async |number: usize| {
            let archive_id = format!("archive-{number}");
            let narrow = NarrowKeyPinsRequest { archive_id, kids: vec![old.clone()], expire_time: None };
            admin.keys.narrow_key_pins(narrow).await.unwrap();
            destroy(&mut admin, &old).await.unwrap_err()
        };
        for (number, named) in [
            (1, "1 archives (archive-1); "),
            (2, "2 archives (archive-1, archive-2); "),
            (3, "3 archives (archive-1, archive-2, archive-3); "),
            (4, "4 archives (archive-1, archive-2, archive-3, archive-4); "),
            (5, "5 archives (archive-1, archive-2, archive-3, archive-4, archive-5); "),
            (6, "6 archives (archive-1, archive-2, archive-3, archive-4, archive-5 and 1 more); "),
            (7, "7 archives (archive-1, archive-2, archive-3, archive-4, archive-5 and 2 more); "),
        ] {
            let refused = pin(number).await;
            assert_eq!(reason_of(&refused), "KEY_VERSION_IN_USE");
            assert!(refused.message().contains(named), "{refused}");
            let names: Vec<String> = (1..=number.min(5)).map(|number| format!("archive-{number}")).collect();
            let metadata = metadata_of(&refused);
            assert_eq!(metadata["archives"], number.to_string());
            assert_eq!(metadata["archive_ids"], names.join(","));
        }
    }
}

#[tokio::test]
async fn a_signature_narrows_the_pins_of_its_archive() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let kid = versions(&mut admin, "credential").await[0].kid.clone();
        let archive_id = "archive-1".to_owned();
        let expire_time = Some(prost_types::Timestamp { seconds: 32_503_680_000, nanos: 0 });
        let pin = PinKeyVersionsRequest { archive_id: archive_id.clone(), expire_time };
        let pinned = admin.keys.pin_key_versions(pin.clone()).await.unwrap();
        let again = admin.keys.pin_key_versions(pin.clone()).await.unwrap();
        assert_eq!(again.into_inner(), pinned.into_inner());
        let needs = Needs { kids: vec![kid.clone(), "00000000000000ff".into()], expire_time: None };
        let sign = SignManifestRequest {
            archive_id,
            manifest: "{}".into(),
            needs: Some(needs),
            ..SignManifestRequest::default()
        };
        admin.crypto.sign_manifest(sign).await.unwrap();
        let census = admin.keys.get_key_census(GetKeyCensusRequest::default()).await.unwrap().into_inner();
        let kids: BTreeSet<String> = census.pins.into_iter().map(|pin| pin.kid).collect();
        assert_eq!(kids, BTreeSet::from([kid]), "the census lists pins of versions that are known here");
        // The second call pinned nothing new, so it recorded no event.
        assert_eq!(admin.event_names("key.pin*").await, ["key.pinned", "key.pins_narrowed"]);
    }
}
