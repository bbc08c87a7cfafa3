//! Another root key: everything is sealed again, and the old root key opens nothing.

use strongroom_api::source::v1::RestoreMode;
use strongroom_crypto::RootKey;
use strongroom_testkit::requests::{credential, secret_of};
use tonic::Code;

use super::{Archive, Restore, counts, refused_as, verified};
use crate::support::{TestVault, assert_refused};

#[tokio::test]
async fn under_another_root_key_every_secret_is_sealed_anew() {
    for old in TestVault::each().await {
        let mut before = old.admin().await;
        let id = before.create(credential("One")).await.id;
        let archive = Archive::of(&old).await;
        let kid = old.database.text("SELECT substr(secret, 6, 16) FROM credentials");
        let root = RootKey::generate();

        let without = old.new_like(&root, &[]).await;
        let mut restore = Restore::of(&archive, &without, RestoreMode::IntoEmpty).await;
        assert_refused(restore.plan().await, Code::FailedPrecondition, "ROOT_KEY_UNKNOWN");

        let new = old.new_like(&root, &[&old.root_key()]).await;
        let mut restore = Restore::of(&archive, &new, RestoreMode::IntoEmpty).await;
        let done = restore.done().await;
        assert_eq!(counts(done.stage.as_ref().unwrap(), "credentials"), [1, 0, 0, 0]);
        let mut after = new.admin().await;
        assert_eq!(after.reveal(&id).await.unwrap(), secret_of("One"));
        assert_ne!(new.database.text("SELECT substr(secret, 6, 16) FROM credentials"), kid);
        let sql = format!("SELECT count(*) FROM key_versions WHERE kid = '{kid}'");
        assert_eq!(new.number(&sql), 0, "no key of the old root key is in the new ring");
        verified(&mut after).await;
    }
}

#[tokio::test]
async fn a_key_version_that_was_retired_stays_so() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let id = admin.create(credential("One")).await.id;
        let archive = Archive::of(&vault).await;
        let kid = vault.database.text("SELECT substr(secret, 6, 16) FROM credentials");
        crate::keys::rotate(&mut admin, "credential").await;
        let delete =
            strongroom_api::vault::v1::DeleteCredentialRequest { id: id.clone(), ..Default::default() };
        admin.credentials.delete_credential(delete).await.unwrap();
        let disable = strongroom_api::vault::v1::DisableKeyVersionRequest { kid: kid.clone() };
        admin.keys.disable_key_version(disable).await.unwrap();
        let _ = Restore::of(&archive, &vault, RestoreMode::Merge).await.reviving(&[&id]).done().await;
        let sql = format!("SELECT count(*) FROM key_versions WHERE kid = '{kid}' AND state = 'disabled'");
        assert_eq!(vault.number(&sql), 1);
        assert_refused(admin.reveal(&id).await, Code::FailedPrecondition, "KEY_VERSION_UNUSABLE");
    }
}

/// Such a row is not taken for a forged one, and the message tells what to do.
#[tokio::test]
async fn rows_whose_key_version_was_retired_here_name_it() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let _ = admin.create(credential("One")).await;
        let archive = Archive::of(&vault).await;
        let kid = vault.database.text("SELECT row_kid FROM credentials");
        crate::keys::rotate(&mut admin, "rows").await;
        let _ = crate::keys::reencrypt(&mut admin, 0).await;
        let disable = strongroom_api::vault::v1::DisableKeyVersionRequest { kid: kid.clone() };
        admin.keys.disable_key_version(disable).await.unwrap();
        let mut restore = Restore::of(&archive, &vault, RestoreMode::Merge).await;
        let refused = restore.plan().await.unwrap_err();
        refused_as(&refused, Code::FailedPrecondition, "ROW_KEY_RETIRED");
        assert!(refused.message().contains(&format!("strongroom key enable {kid}")), "{refused:?}");
    }
}
