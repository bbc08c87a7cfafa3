//! A new secret under the same id: renewed by the token's holder, or reissued by an admin.

use std::time::Duration;

use strongroom_api::vault::v1::{
    ListCredentialsRequest, ReissueTokenRequest, ReissueTokenResponse, RenewTokenRequest,
    WatchAuditEventsRequest,
};
use strongroom_testkit::requests::token;
use tonic::{Code, Status};

use super::{after, id_of, is_active, listed, revoke, until};
use crate::support::{Clients, TestVault, assert_refused};

async fn reissue(clients: &mut Clients, id: &str) -> Result<ReissueTokenResponse, Status> {
    let request = ReissueTokenRequest { id: id.into() };
    Ok(clients.tokens.reissue_token(request).await?.into_inner())
}

#[tokio::test]
async fn the_holder_renews_and_the_old_secret_ends() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        for role in ["gateway", "operator", "auditor", "backup-creator", "admin"] {
            let issued = admin.issue(token(role)).await.unwrap();
            let mut holder = vault.clients(&issued.secret);
            let renewed = holder.tokens.renew_token(RenewTokenRequest {}).await.unwrap().into_inner();
            assert_eq!(renewed.token.as_ref().unwrap().id, id_of(&issued), "{role}");
            assert!(renewed.secret.starts_with(&format!("srt_{}", id_of(&issued))));
            assert!(
                !is_active(&mut admin, &issued.secret).await && is_active(&mut admin, &renewed.secret).await
            );
            let refused = holder.tokens.renew_token(RenewTokenRequest {}).await.unwrap_err();
            assert_eq!(refused.code(), Code::Unauthenticated, "at once");
        }
        assert_eq!(admin.event_names("token.renewed").await.len(), 5);
    }
}

#[tokio::test]
async fn of_two_renewals_one_succeeds() {
    for vault in TestVault::each().await {
        let issued = vault.admin().await.issue(token("operator")).await.unwrap();
        let (mut one, mut other) = (vault.clients(&issued.secret), vault.clients(&issued.secret));
        let renewals = tokio::join!(
            one.tokens.renew_token(RenewTokenRequest {}),
            other.tokens.renew_token(RenewTokenRequest {})
        );
        let succeeded = [&renewals.0, &renewals.1].iter().filter(|renewal| renewal.is_ok()).count();
        assert_eq!(succeeded, 1, "{renewals:?}");
    }
}

#[tokio::test]
async fn a_reissued_token_goes_back_to_who_reissued_it() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let parent = admin.issue(token("admin")).await.unwrap();
        let child = vault.clients(&parent.secret).issue(token("gateway")).await.unwrap();
        revoke(&mut admin, &id_of(&parent)).await.unwrap();
        let expiry = after(&vault.clock, 60);
        let limited = admin.issue(until(Some(expiry))).await.unwrap();
        let reissued = reissue(&mut vault.clients(&limited.secret), &id_of(&child)).await.unwrap();
        let shown = reissued.token.unwrap();
        assert_eq!((shown.issuer, shown.role), (format!("token:{}", id_of(&limited)), "gateway".into()));
        assert_eq!(shown.expire_time, Some(expiry), "it expires with its new issuer");
        assert!(is_active(&mut admin, &reissued.secret).await && !is_active(&mut admin, &child.secret).await);
        let mut gateway = vault.clients(&reissued.secret);
        gateway.credentials.list_credentials(ListCredentialsRequest::default()).await.unwrap();
        assert_eq!(listed(&mut admin, &id_of(&child)).await.ended_through, "");
        assert_refused(reissue(&mut admin, &id_of(&parent)).await, Code::FailedPrecondition, "TOKEN_OVER");
        assert_eq!(admin.event_names("token.reissued").await.len(), 1);
    }
}

#[tokio::test]
async fn nobody_takes_over_an_issuer_or_more_than_they_have() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let parent = admin.issue(token("admin")).await.unwrap();
    let child = vault.clients(&parent.secret).issue(token("admin")).await.unwrap();
    let mut holder = vault.clients(&child.secret);
    for above in [&child, &parent] {
        assert_refused(
            reissue(&mut holder, &id_of(above)).await,
            Code::FailedPrecondition,
            "TOKEN_IS_ISSUER",
        );
    }
    let mut operator = vault.with_role("operator").await;
    assert_refused(
        reissue(&mut operator, &id_of(&child)).await,
        Code::PermissionDenied,
        "PERMISSION_MISSING",
    );
    assert!(is_active(&mut admin, &parent.secret).await && is_active(&mut admin, &child.secret).await);
}

/// A watch with a secret that was replaced receives nothing more.
#[tokio::test]
async fn a_watch_ends_with_the_secret_that_began_it() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let issued = admin.issue(token("auditor")).await.unwrap();
        let mut thief = vault.clients(&issued.secret);
        let watch = WatchAuditEventsRequest::default();
        let mut events = thief.audit.watch_audit_events(watch).await.unwrap().into_inner();
        assert!(events.message().await.unwrap().is_some());
        let mut holder = vault.clients(&issued.secret);
        holder.tokens.renew_token(RenewTokenRequest {}).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(5), async {
            loop {
                if let Err(status) = events.message().await {
                    return status;
                }
            }
        });
        assert_eq!(ended.await.unwrap().code(), Code::Unauthenticated);
    }
}

#[tokio::test]
async fn what_ended_with_an_issuer_does_not_come_back_with_it() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let first = admin.issue(token("admin")).await.unwrap();
        let second = vault.clients(&first.secret).issue(token("admin")).await.unwrap();
        let third = vault.clients(&second.secret).issue(token("auditor")).await.unwrap();
        revoke(&mut admin, &id_of(&first)).await.unwrap();
        assert!(!is_active(&mut admin, &third.secret).await);
        vault.clock.advance(Duration::from_secs(1));
        let reissued = reissue(&mut admin, &id_of(&second)).await.unwrap();
        assert!(is_active(&mut admin, &reissued.secret).await);
        assert!(!is_active(&mut admin, &third.secret).await, "it ended for good");
        vault.clock.advance(Duration::from_secs(1));
        let next = vault.clients(&reissued.secret).issue(token("auditor")).await.unwrap();
        assert!(is_active(&mut admin, &next.secret).await);
    }
}
