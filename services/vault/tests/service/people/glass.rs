//! Break-glass: a vault whose tokens and people are lost.

use std::time::Duration;

use strongroom_api::vault::v1::RevokeTokenRequest;
use tonic::Code;

use super::{issue, names};
use crate::support::{TestVault, assert_refused, enrol, enrolled};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes a break-glass token for a running vault.
async fn broken(vault: &TestVault, folder: &tempfile::TempDir) -> String {
    let file = folder.path().join("glass.token");
    strongroom_vault::issue_admin_token(&vault.config(), &file, &vault.clock).await.unwrap();
    let again = strongroom_vault::issue_admin_token(&vault.config(), &file, &vault.clock).await;
    assert!(again.unwrap_err().to_string().contains("glass.token"), "it replaces nothing");
    std::fs::read_to_string(file).unwrap()
}

#[tokio::test]
async fn after_a_day_it_enrols_two_people() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        drop((enrolled(&vault, "Ada").await, enrolled(&vault, "Ben").await));
        let folder = tempfile::tempdir().unwrap();
        let token = broken(&vault, &folder).await;
        let mut glass = vault.clients(&token);
        let issued = glass.events("token.issued").await.remove(0);
        assert_eq!(
            (issued.actor.as_str(), issued.metadata["reason"].as_str()),
            ("system", "\"break-glass\"")
        );
        let (first, mut child) = issue(&vault, &mut glass).await;
        let (second, _) = issue(&vault, &mut glass).await;
        vault.clock.advance(DAY - Duration::from_secs(1));
        for early in [&mut glass, &mut child] {
            assert_refused(enrol(early, "Cleo", &first).await, Code::FailedPrecondition, "BREAK_GLASS_WAITS");
        }
        vault.clock.advance(Duration::from_secs(1));
        assert_refused(enrol(&mut admin, "Cleo", &first).await, Code::FailedPrecondition, "NOT_A_PERSON");
        assert_refused(enrol(&mut child, "Cleo", &first).await, Code::FailedPrecondition, "NOT_A_PERSON");
        assert!(enrol(&mut glass, "Cleo", &first).await.unwrap().person.is_some());
        assert_refused(enrol(&mut glass, "Ada", &second).await, Code::AlreadyExists, "PERSON_EXISTS");
        assert!(enrol(&mut glass, "Dora", &second).await.unwrap().person.is_some());
        let (third, _) = issue(&vault, &mut glass).await;
        assert_refused(
            enrol(&mut glass, "Emil", &third).await,
            Code::FailedPrecondition,
            "BREAK_GLASS_SPENT",
        );
        assert_eq!(names(&mut admin).await, ["Ada", "Ben", "Cleo", "Dora"]);
    }
}

/// An attacker with write access to the database hides the root of a child token that is still cached, or makes the
/// root look like another token.
#[tokio::test]
async fn a_child_waits_although_its_root_is_hidden() {
    for change in ["UPDATE api_tokens SET break_glass = FALSE", "DELETE FROM api_tokens"] {
        for vault in TestVault::each_standing().await {
            let (subject, _) = issue(&vault, &mut vault.admin().await).await;
            let folder = tempfile::tempdir().unwrap();
            let mut glass = vault.clients(&broken(&vault, &folder).await);
            let (_, mut child) = issue(&vault, &mut glass).await;
            assert_refused(
                enrol(&mut child, "Cleo", &subject).await,
                Code::FailedPrecondition,
                "BREAK_GLASS_WAITS",
            );
            vault.run(&format!("{change} WHERE break_glass"));
            assert!(enrol(&mut child, "Cleo", &subject).await.is_err());
            assert_eq!(vault.number("SELECT count(*) FROM people"), 0);
        }
    }
}

#[tokio::test]
async fn revoked_within_a_day_it_enrols_nobody() {
    let vault = TestVault::each_standing().await.remove(0);
    let mut admin = vault.admin().await;
    let folder = tempfile::tempdir().unwrap();
    let token = broken(&vault, &folder).await;
    let id = token[4..16].to_owned();
    admin.tokens.revoke_token(RevokeTokenRequest { id }).await.unwrap();
    vault.clock.advance(DAY);
    let (other, _) = issue(&vault, &mut admin).await;
    let refused = enrol(&mut vault.clients(&token), "Cleo", &other).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_database_without_a_vault_gets_no_token() {
    let vault = TestVault::sqlite().await;
    drop(vault.admin().await);
    let folder = tempfile::tempdir().unwrap();
    let (file, empty) = (folder.path().join("glass.token"), folder.path().join("empty.db"));
    let config = strongroom_vault::VaultConfig {
        database_url: format!("sqlite:{}", empty.display()),
        ..vault.config()
    };
    let refused = strongroom_vault::issue_admin_token(&config, &file, &vault.clock).await.unwrap_err();
    assert!(refused.to_string().contains("there is no vault"), "{refused}");
    assert!(!file.exists());
}
