//! The states of a version, from its creation to its destruction.

use std::time::Duration;

use strongroom_api::vault::v1::{
    CreateKeyRequest, EnableKeyVersionRequest, ExportKeyRingRequest, UndoDestroyKeyVersionRequest,
};
use strongroom_runtime::status::reason_of;
use tonic::Code;

use super::{FOLLOWED, create_key, destroy, disable, report, rotate, states, versions};
use crate::support::{TestVault, eventually};

#[tokio::test]
async fn a_version_lives_and_dies_in_steps() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let first = create_key(&mut admin, "gateway").await;
        for taken in ["gateway", "credential", "audit", "page", "signing"] {
            let again = admin.keys.create_key(CreateKeyRequest { key_id: taken.into() }).await.unwrap_err();
            assert_eq!((again.code(), reason_of(&again).as_str()), (Code::AlreadyExists, "KEY_EXISTS"));
        }
        assert_eq!(reason_of(&disable(&mut admin, &first).await.unwrap_err()), "KEY_VERSION_PRIMARY");
        vault.clock.advance(Duration::from_secs(1));
        let second = rotate(&mut admin, "gateway").await;
        let listed = versions(&mut admin, "gateway").await;
        assert_eq!((listed[0].number, listed[1].number), (1, 2));
        assert_eq!((&listed[0].kid, &listed[1].kid), (&first, &second));
        assert_eq!(states(&mut admin, "gateway").await, ["decrypt-only", "primary"]);

        assert_eq!(reason_of(&destroy(&mut admin, &first).await.unwrap_err()), "KEY_VERSION_STATE");
        vault.clock.advance(FOLLOWED);
        report(&mut admin, "gateway", &[]).await;
        assert_eq!(disable(&mut admin, &first).await.unwrap(), "disabled");
        assert_eq!(disable(&mut admin, &first).await.unwrap(), "disabled", "once more changes nothing");
        let enable = EnableKeyVersionRequest { kid: first.clone() };
        admin.keys.enable_key_version(enable).await.unwrap();
        assert_eq!(states(&mut admin, "gateway").await, ["decrypt-only", "primary"]);
        disable(&mut admin, &first).await.unwrap();

        let scheduled = destroy(&mut admin, &first).await.unwrap();
        assert_eq!(scheduled.state, "scheduled");
        let days =
            (scheduled.destroy_time.unwrap().seconds - scheduled.create_time.unwrap().seconds) / 86_400;
        assert_eq!(days, 7);
        let undo = UndoDestroyKeyVersionRequest { kid: first.clone() };
        let undone = admin.keys.undo_destroy_key_version(undo).await.unwrap().into_inner().version.unwrap();
        assert_eq!((undone.state.as_str(), undone.destroy_time), ("disabled", None));
        destroy(&mut admin, &first).await.unwrap();
        vault.clock.advance(Duration::from_secs(8 * 86_400));
        eventually(async || (states(&mut admin, "gateway").await == ["destroyed", "primary"]).then_some(()))
            .await;
        let kids = vec![first.clone(), second.clone()];
        let ring = admin.keys.export_key_ring(ExportKeyRingRequest { kids }).await.unwrap().into_inner();
        assert!(!ring.kids.contains(&first), "a destroyed version has no bytes");
        assert!(ring.kids.contains(&second));
        let enable = EnableKeyVersionRequest { kid: first.clone() };
        assert_eq!(
            reason_of(&admin.keys.enable_key_version(enable).await.unwrap_err()),
            "KEY_VERSION_STATE",
            "nothing brings it back"
        );
        let expected = [
            "key.version_disabled",
            "key.version_enabled",
            "key.version_disabled",
            "key.version_scheduled",
            "key.version_unscheduled",
            "key.version_scheduled",
            "key.version_destroyed",
        ];
        assert_eq!(admin.event_names("key.version_*").await, expected);
    }
}
