//! Tokens: the calls that they allow, and the calls that need none.

use strongroom_api::vault::v1::{ListCredentialsRequest, RevokeTokenRequest};
use strongroom_testkit::requests::{credential, introspect, token};
use tonic::Code;

use crate::support::TestVault;

#[tokio::test]
async fn nobody_calls_without_a_token_or_beyond_its_permissions() {
    for vault in TestVault::each().await {
        let mut nobody = vault.clients("srt_none");
        let refused =
            nobody.credentials.list_credentials(ListCredentialsRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);

        let mut admin = vault.admin().await;
        let mut auditor = vault.with_role("auditor").await;
        let refused = auditor.credentials.create_credential(credential("One")).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        assert!(refused.message().contains("credential.create"), "{}", refused.message());
        assert_eq!(admin.event_names("access.denied").await, ["access.denied"]);
    }
}

#[tokio::test]
async fn a_revoked_token_is_refused_and_introspected_as_inactive() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let issued = admin.issue(token("auditor")).await.unwrap();
        let (id, introspect) = (issued.token.unwrap().id, introspect(&issued.secret));
        let known = admin.tokens.introspect_token(introspect.clone()).await.unwrap().into_inner();
        assert!(known.active && known.permissions.contains(&"audit.list".to_owned()));
        admin.tokens.revoke_token(RevokeTokenRequest { id }).await.unwrap();
        assert!(!admin.tokens.introspect_token(introspect).await.unwrap().into_inner().active);
    }
}

#[tokio::test]
async fn nobody_issues_what_they_lack() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    assert_eq!(admin.issue(token("root")).await.unwrap_err().code(), Code::InvalidArgument);
    let mut operator = vault.with_role("operator").await;
    assert_eq!(operator.issue(token("admin")).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn health_needs_no_token() {
    let vault = TestVault::sqlite().await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(vault.channel());
    let request =
        tonic_health::pb::HealthCheckRequest { service: "strongroom.vault.v1.CredentialService".into() };
    assert_eq!(health.check(request).await.unwrap().into_inner().status, 1);
}
