//! A restore is rolled back: rows get their previous state, but rows that were revoked meanwhile stay revoked.

use strongroom_api::source::v1::RestoreMode;
use strongroom_api::vault::v1::{DeleteCredentialRequest, RotateCredentialRequest};
use strongroom_testkit::requests::{binding, credential, secret_of};
use tonic::Code;

use super::{Archive, Restore, refused_as, verified};
use crate::support::{TestVault, assert_refused};

#[tokio::test]
async fn every_row_is_what_it_was() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let mut ids = Vec::new();
        for name in ["One", "Two", "Three"] {
            ids.push(admin.create(credential(name)).await.id);
        }
        admin.bind(binding("endpoint", "app", &ids[0])).await.unwrap();
        let archive = Archive::of(&vault).await;
        let rotate = |id: &str, secret: &str| RotateCredentialRequest {
            id: id.into(),
            secret: secret.as_bytes().to_vec().into(),
            ..Default::default()
        };
        admin.credentials.rotate_credential(rotate(&ids[0], "sk-rotated")).await.unwrap();
        let delete = DeleteCredentialRequest { id: ids[1].clone(), ..Default::default() };
        admin.credentials.delete_credential(delete).await.unwrap();
        let new = admin.create(credential("New")).await.id;
        admin.bind(binding("endpoint", "app", &new)).await.unwrap();
        admin.bind(binding("endpoint", "newer", &new)).await.unwrap();

        let mut restore =
            Restore::of(&archive, &vault, RestoreMode::Replace).await.reviving(&[&ids[0], &ids[1]]);
        let _ = restore.done().await;
        assert_eq!(admin.reveal(&ids[0]).await.unwrap(), secret_of("One"));
        assert_eq!(admin.reveal(&ids[1]).await.unwrap(), secret_of("Two"));
        assert_eq!(admin.resolve("app").await.unwrap().0, secret_of("One"));
        assert_eq!(admin.reveal(&new).await.unwrap_err().code(), Code::NotFound);
        verified(&mut admin).await;

        let _ = restore.roll_back(false).await.unwrap();
        assert_eq!(admin.reveal(&ids[0]).await.unwrap(), "sk-rotated");
        assert_eq!(admin.reveal_previous(&ids[0]).await.unwrap(), secret_of("One"));
        assert_eq!(admin.reveal(&ids[1]).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(admin.resolve("app").await.unwrap().0, secret_of("New"));
        assert_eq!(admin.resolve("newer").await.unwrap().0, secret_of("New"));
        assert_eq!(
            vault.number("SELECT count(*) FROM credential_tombstones"),
            1,
            "it is known as deleted again"
        );
        verified(&mut admin).await;
    }
}

#[tokio::test]
async fn what_was_changed_since_stands_in_the_way_and_stays_revoked() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let mut ids = Vec::new();
        for name in ["One", "Two", "Three"] {
            ids.push(admin.create(credential(name)).await.id);
        }
        let archive = Archive::of(&vault).await;
        for id in &ids {
            admin.deactivate(id).await;
        }
        let mut restore =
            Restore::of(&archive, &vault, RestoreMode::Replace).await.reviving(&[&ids[0], &ids[1], &ids[2]]);
        let _ = restore.done().await;
        let rotate =
            RotateCredentialRequest { id: ids[0].clone(), secret: "sk-since".into(), ..Default::default() };
        admin.credentials.rotate_credential(rotate).await.unwrap();
        let delete = DeleteCredentialRequest { id: ids[1].clone(), ..Default::default() };
        admin.credentials.delete_credential(delete).await.unwrap();
        let refused = restore.roll_back(false).await.unwrap_err();
        refused_as(&refused, Code::FailedPrecondition, "STAGE_CHANGED");
        assert!(refused.message().contains(&ids[0]) && refused.message().contains(&ids[1]), "{refused:?}");
        assert_eq!(admin.reveal(&ids[0]).await.unwrap(), "sk-since");

        let _ = restore.roll_back(true).await.unwrap();
        for id in [&ids[0], &ids[2]] {
            let refused = admin.reveal(id).await.unwrap_err();
            refused_as(&refused, Code::FailedPrecondition, "CREDENTIAL_INACTIVE");
        }
        assert_eq!(admin.reveal(&ids[1]).await.unwrap_err().code(), Code::NotFound, "it stays deleted");
        let activate =
            strongroom_api::vault::v1::ActivateCredentialRequest { id: ids[0].clone(), etag: String::new() };
        admin.credentials.activate_credential(activate).await.unwrap();
        assert_eq!(admin.reveal(&ids[0]).await.unwrap(), "sk-since", "no older secret comes back");
        verified(&mut admin).await;
    }
}

/// The first restore removes the credential, the second brings it back, and then somebody deletes it.
#[tokio::test]
async fn what_was_deleted_since_stays_deleted_whichever_restore_is_undone() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let _ = admin.create(credential("One")).await;
        let before = Archive::of(&vault).await;
        let id = admin.create(credential("Two")).await.id;
        let after = Archive::of(&vault).await;
        let mut first = Restore::of(&before, &vault, RestoreMode::Replace).await;
        let _ = first.done().await;
        assert_eq!(admin.reveal(&id).await.unwrap_err().code(), Code::NotFound);
        let mut second = Restore::of(&after, &vault, RestoreMode::Replace).await;
        let _ = second.done().await;
        assert_eq!(admin.reveal(&id).await.unwrap(), secret_of("Two"));
        let delete = DeleteCredentialRequest { id: id.clone(), ..Default::default() };
        admin.credentials.delete_credential(delete).await.unwrap();
        assert_refused(second.roll_back(false).await, Code::FailedPrecondition, "STAGE_CHANGED");
        let _ = second.roll_back(true).await.unwrap();
        assert_refused(first.roll_back(false).await, Code::FailedPrecondition, "STAGE_CHANGED");
        let _ = first.roll_back(true).await.unwrap();
        assert_eq!(admin.reveal(&id).await.unwrap_err().code(), Code::NotFound, "it stays deleted");
        verified(&mut admin).await;
    }
}

/// A rotation without a grace period keeps no previous secret, and no rollback brings one back.
#[tokio::test]
async fn a_secret_that_was_cut_off_since_stays_cut_off() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let id = admin.create(credential("One")).await.id;
        let archive = Archive::of(&vault).await;
        let rotate = |secret: &'static str, overlap: i64| RotateCredentialRequest {
            id: id.clone(),
            secret: secret.into(),
            grace: Some(prost_types::Duration { seconds: overlap, nanos: 0 }),
            ..Default::default()
        };
        admin.credentials.rotate_credential(rotate("sk-since", 3600)).await.unwrap();
        assert_eq!(admin.reveal_previous(&id).await.unwrap(), secret_of("One"));
        let mut restore = Restore::of(&archive, &vault, RestoreMode::Replace).await.reviving(&[&id]);
        let _ = restore.done().await;
        admin.credentials.rotate_credential(rotate("sk-newest", 0)).await.unwrap();
        let _ = restore.roll_back(true).await.unwrap();
        assert_eq!(admin.reveal(&id).await.unwrap(), "sk-newest");
        let refused = admin.reveal_previous(&id).await.unwrap_err();
        refused_as(&refused, Code::FailedPrecondition, "NO_PREVIOUS_SECRET");
        verified(&mut admin).await;
    }
}

/// Even if their commit times are equal, as the clocks of two processes can make them.
#[tokio::test]
async fn the_later_restore_is_taken_back_first() {
    let vault = TestVault::standing().await;
    let mut admin = vault.admin().await;
    let _ = admin.create(credential("One")).await;
    let archive = Archive::of(&vault).await;
    let mut first = Restore::of(&archive, &vault, RestoreMode::Replace).await;
    let _ = first.done().await;
    let mut second = Restore::of(&archive, &vault, RestoreMode::Replace).await;
    let _ = second.done().await;
    assert_refused(first.roll_back(true).await, Code::FailedPrecondition, "STAGE_SUPERSEDED");
    let _ = second.roll_back(false).await.unwrap();
    let _ = first.roll_back(false).await.unwrap();
    verified(&mut admin).await;
}

/// As many rows as one event names, each with a previous secret: the last secret's change has an event that names no
/// row.
#[tokio::test]
async fn every_row_of_five_hundred_is_at_its_last_change() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let mut ids = Vec::new();
    for number in 0..500 {
        let id = admin.create(credential(&number.to_string())).await.id;
        for secret in ["sk-before", "sk-archived"] {
            let rotate =
                RotateCredentialRequest { id: id.clone(), secret: secret.into(), ..Default::default() };
            admin.credentials.rotate_credential(rotate).await.unwrap();
        }
        ids.push(id);
    }
    let archive = Archive::of(&vault).await;
    for id in &ids {
        let rotate =
            RotateCredentialRequest { id: id.clone(), secret: "sk-since".into(), ..Default::default() };
        admin.credentials.rotate_credential(rotate).await.unwrap();
    }
    let revived: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut restore = Restore::of(&archive, &vault, RestoreMode::Replace).await.reviving(&revived);
    let _ = restore.done().await;
    verified(&mut admin).await;
    let _ = restore.roll_back(false).await.unwrap();
    verified(&mut admin).await;
}
