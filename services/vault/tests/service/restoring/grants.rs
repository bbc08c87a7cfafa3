//! A grant is for one restore; without one, the service's token cannot change anything.

use strongroom_api::source::v1::stage_tables_request::Begin;
use strongroom_api::source::v1::{RestoreGrant, RestoreMode};
use strongroom_api::vault::v1::{RestoreTerms, RevokeTokenRequest};
use strongroom_testkit::requests::{credential, secret_of, token};
use tonic::{Code, Status};

use super::refused_as;
use super::{Archive, Restore};
use crate::support::{TestVault, assert_refused};

/// A vault whose only credential was deleted after the archive was made.
async fn scene(vault: &TestVault) -> (Archive, String) {
    let mut admin = vault.admin().await;
    let id = admin.create(credential("One")).await.id;
    (Archive::of(vault).await, id)
}

fn refused(status: &Status, reason: &str) {
    refused_as(status, Code::PermissionDenied, reason);
}

#[tokio::test]
async fn without_a_grant_nothing_is_staged() {
    for vault in TestVault::each().await {
        let (archive, _) = scene(&vault).await;
        let mut restore = Restore::of(&archive, &vault, RestoreMode::Replace).await;
        let begin = restore.begin.clone();
        refused(&restore.send(begin.clone()).await.unwrap_err(), "GRANT_MISSING");
        let made_up = RestoreGrant { statement: vec![1; 200].into() };
        refused(&restore.send(Begin { grant: Some(made_up), ..begin }).await.unwrap_err(), "GRANT_INVALID");
        assert_eq!(restore.commit().await.unwrap_err().code(), Code::NotFound);
        assert_eq!(vault.number("SELECT count(*) FROM restore_stages"), 0);
        let terms = restore.terms();
        restore.admin = vault.with_role("backup-service").await;
        assert_eq!(
            restore.grant(terms).await.unwrap_err().code(),
            Code::PermissionDenied,
            "nor can it grant itself"
        );
    }
}

/// One term is changed, and the grant stays the same.
#[tokio::test]
async fn a_grant_is_for_its_terms_only() {
    let vault = TestVault::sqlite().await;
    let (archive, id) = scene(&vault).await;
    let mut restore = Restore::of(&archive, &vault, RestoreMode::Merge).await;
    let changes: [fn(&mut RestoreTerms); 11] = [
        |terms| terms.principal = "token:another".into(),
        |terms| terms.restore_id = "another".into(),
        |terms| terms.archive_id = "another".into(),
        |terms| terms.manifest_sha256 = vec![8; 32].into(),
        |terms| terms.deployment_id = "another".into(),
        |terms| terms.mode = RestoreMode::Replace.into(),
        |terms| terms.revive_ids = vec!["another".into()],
        |terms| terms.as_copy = true,
        |terms| terms.from_deployment = "another".into(),
        |terms| terms.accept_undecryptable = true,
        |terms| terms.audit_head = None,
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut terms = restore.terms();
        change(&mut terms);
        let grant = Some(restore.grant(terms).await.unwrap());
        let begin = Begin { grant, ..restore.begin.clone() };
        let status = restore.send(begin).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "change {at}: {status:?}");
    }
    let _ = restore.done().await;
    assert_eq!(restore.admin.reveal(&id).await.unwrap(), secret_of("One"));
}

#[tokio::test]
async fn it_commits_once_and_can_be_repeated_and_taken_back() {
    for vault in TestVault::each().await {
        let (archive, id) = scene(&vault).await;
        let mut restore = Restore::of(&archive, &vault, RestoreMode::Replace).await;
        let new = restore.admin.create(credential("Two")).await.id;
        let _ = restore.stage().await.unwrap();
        let _ = restore.stage().await.unwrap();
        let first = restore.commit().await.unwrap().stage.unwrap();
        let events = restore.admin.events("restore.applied").await.len();
        assert_eq!(restore.commit().await.unwrap().stage.unwrap().tables, first.tables, "the same once more");
        assert_eq!(restore.admin.events("restore.applied").await.len(), events);
        assert_refused(restore.stage().await, Code::FailedPrecondition, "STAGE_COMMITTED");
        assert_refused(restore.abort(true).await, Code::FailedPrecondition, "STAGE_COMMITTED");
        let _ = restore.roll_back(false).await.unwrap();
        let _ = restore.roll_back(false).await.unwrap();
        assert_eq!(restore.admin.reveal(&new).await.unwrap(), secret_of("Two"));
        assert_refused(restore.stage().await, Code::FailedPrecondition, "GRANT_USED");
        restore.abort(false).await.unwrap();
        assert_refused(restore.stage().await, Code::FailedPrecondition, "GRANT_USED");
        assert_eq!(restore.commit().await.unwrap_err().code(), Code::FailedPrecondition);
        assert_eq!(restore.admin.reveal(&id).await.unwrap(), secret_of("One"));
    }
}

#[tokio::test]
async fn it_ends_with_the_token_that_gave_it() {
    let vault = TestVault::sqlite().await;
    let (archive, _) = scene(&vault).await;
    let mut restore = Restore::of(&archive, &vault, RestoreMode::Merge).await;
    let mut admin = vault.admin().await;
    let operator = admin.issue(token("operator")).await.unwrap();
    restore.admin = vault.clients(&operator.secret);
    let _ = restore.stage().await.unwrap();
    admin.tokens.revoke_token(RevokeTokenRequest { id: operator.token.unwrap().id }).await.unwrap();
    refused(&restore.commit().await.unwrap_err(), "GRANT_ENDED");
}

#[tokio::test]
async fn it_lasts_for_a_day() {
    let vault = TestVault::standing().await;
    let (archive, _) = scene(&vault).await;
    let mut restore = Restore::of(&archive, &vault, RestoreMode::Merge).await;
    let _ = restore.stage().await.unwrap();
    vault.clock.advance(std::time::Duration::from_secs(24 * 3600));
    refused(&restore.commit().await.unwrap_err(), "GRANT_EXPIRED");
}

#[tokio::test]
async fn a_stage_is_its_services_own() {
    let vault = TestVault::sqlite().await;
    let (archive, _) = scene(&vault).await;
    let mut restore = Restore::of(&archive, &vault, RestoreMode::Merge).await;
    let _ = restore.stage().await.unwrap();
    restore.service = vault.with_role("backup-service").await;
    assert_eq!(restore.commit().await.unwrap_err().code(), Code::NotFound);
    assert_eq!(restore.roll_back(true).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(restore.abort(false).await.unwrap_err().code(), Code::NotFound);
}

/// With the service's token alone, an attacker can neither undo a restore nor prevent it from being undone.
#[tokio::test]
async fn what_is_committed_is_ended_with_its_grant_only() {
    for vault in TestVault::each_standing().await {
        let (archive, _) = scene(&vault).await;
        let mut restore = Restore::of(&archive, &vault, RestoreMode::Replace).await;
        let new = restore.admin.create(credential("Two")).await.id;
        let _ = restore.done().await;
        let grant = restore.granted.take();
        let of_another = Restore::of(&archive, &vault, RestoreMode::Replace).await.stage_granted().await;
        for (given, reason) in [(None, "GRANT_MISSING"), (Some(of_another), "GRANT_INVALID")] {
            restore.granted = given;
            refused(&restore.roll_back(true).await.unwrap_err(), reason);
            refused(&restore.abort(false).await.unwrap_err(), reason);
        }
        restore.granted = grant;
        vault.clock.advance(std::time::Duration::from_secs(24 * 3600));
        let _ = restore.roll_back(false).await.unwrap();
        assert_eq!(restore.admin.reveal(&new).await.unwrap(), secret_of("Two"));
    }
}

#[tokio::test]
async fn a_plan_takes_no_place_of_a_stage() {
    for vault in TestVault::each().await {
        let (archive, id) = scene(&vault).await;
        let mut restore = Restore::of(&archive, &vault, RestoreMode::Replace).await;
        let _ = restore.stage().await.unwrap();
        let begin = Begin { dry_run: true, ..restore.begin.clone() };
        assert_refused(restore.send(begin).await, Code::FailedPrecondition, "STAGE_STATE");
        let _ = restore.commit().await.unwrap();
        assert_refused(restore.stage().await, Code::FailedPrecondition, "STAGE_COMMITTED");
        assert_eq!(restore.admin.reveal(&id).await.unwrap(), secret_of("One"));
    }
}

/// The actor of a granted change is the grantor, acting through the service.
#[tokio::test]
async fn the_granter_is_the_actor_and_the_service_is_named() {
    for (old, new) in TestVault::pairs().await {
        let (archive, _) = scene(&old).await;
        let mut restore = Restore::of(&archive, &new, RestoreMode::IntoEmpty).await;
        let _ = restore.done().await;
        let mut admin = new.admin().await;
        for name in ["key.ring_merged", "restore.applied", "restore.rows"] {
            let events = admin.events(name).await;
            assert!(!events.is_empty(), "{name}");
            for event in events {
                assert_eq!(event.via, restore.principal, "{name}");
                assert!(
                    event.actor.starts_with("token:") && event.actor != event.via,
                    "{name}: {}",
                    event.actor
                );
            }
        }
    }
}

/// A commit that is refused must not have merged a ring first.
#[tokio::test]
async fn a_commit_that_is_refused_changes_no_key() {
    for (old, new) in TestVault::pairs().await {
        let (archive, _) = scene(&old).await;
        let mut restore = Restore::of(&archive, &new, RestoreMode::IntoEmpty).await;
        let _ = restore.stage().await.unwrap();
        let mut admin = new.admin().await;
        let _ = admin.create(credential("Since")).await;
        assert_refused(restore.commit().await, Code::FailedPrecondition, "FOREIGN_DEPLOYMENT");
        assert!(admin.events("key.ring_merged").await.is_empty());
    }
}
