//! A token is valid no longer than any of its issuers.

use std::time::Duration;

use strongroom_testkit::requests::token;
use tonic::Code;

use super::{after, id_of, is_active, listed, revoke, until};
use crate::support::{TestVault, assert_field, assert_refused};

#[tokio::test]
async fn a_token_expires_no_later_than_its_issuer() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let expiry = after(&vault.clock, 60);
        let parent = admin.issue(until(Some(expiry))).await.unwrap();
        let mut parent = vault.clients(&parent.secret);
        let child = parent.issue(until(None)).await.unwrap();
        assert_eq!(
            child.token.as_ref().unwrap().expire_time,
            Some(expiry),
            "one without expiry gets its issuer's"
        );
        let later = parent.issue(until(Some(after(&vault.clock, 61)))).await;
        let message = later.as_ref().unwrap_err().message().to_owned();
        assert!(message.contains("must not be after 2026-01-02T03:05:05Z"), "{message}");
        assert_field(later, "expire_time");
        parent.issue(until(Some(after(&vault.clock, 59)))).await.unwrap();
        vault.clock.advance(Duration::from_secs(60));
        assert!(!is_active(&mut admin, &child.secret).await);
    }
}

#[tokio::test]
async fn a_grandchild_ends_with_its_grandparent() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let grandparent = admin.issue(token("admin")).await.unwrap();
        let parent = vault.clients(&grandparent.secret).issue(token("admin")).await.unwrap();
        let child = vault.clients(&parent.secret).issue(token("gateway")).await.unwrap();
        let other = admin.issue(token("auditor")).await.unwrap();
        assert!(is_active(&mut admin, &child.secret).await);
        revoke(&mut admin, &id_of(&grandparent)).await.unwrap();
        for (ended, expected) in [(&grandparent, false), (&parent, false), (&child, false), (&other, true)] {
            assert_eq!(is_active(&mut admin, &ended.secret).await, expected);
        }
        let refused = vault.clients(&parent.secret).issue(token("admin")).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        let through = format!("token:{}", id_of(&grandparent));
        for ended in [&parent, &child] {
            let token = listed(&mut admin, &id_of(ended)).await;
            assert_eq!((token.revoke_time, token.ended_through), (None, through.clone()));
        }
        assert_eq!(listed(&mut admin, &id_of(&grandparent)).await.ended_through, "", "it ended itself");
    }
}

#[tokio::test]
async fn a_token_whose_issuer_is_missing_is_refused() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let parent = admin.issue(token("admin")).await.unwrap();
        let child = vault.clients(&parent.secret).issue(token("admin")).await.unwrap();
        vault.run(&format!("DELETE FROM api_tokens WHERE id = '{}'", id_of(&parent)));
        assert!(!is_active(&mut admin, &child.secret).await);
        let token = listed(&mut admin, &id_of(&child)).await;
        assert_eq!(token.ended_through, format!("token:{}", id_of(&parent)));
    }
}

#[tokio::test]
async fn a_chain_of_issuers_has_eight_links() {
    for vault in TestVault::each().await {
        let mut issuer = vault.admin().await;
        for _ in 0..8 {
            let issued = issuer.issue(token("admin")).await.unwrap();
            issuer = vault.clients(&issued.secret);
        }
        assert_refused(issuer.issue(token("admin")).await, Code::FailedPrecondition, "TOO_MANY_ISSUERS");
    }
}

#[tokio::test]
async fn the_last_admin_is_not_revoked() {
    for vault in TestVault::each_standing().await {
        let mut admin = vault.admin().await;
        let first = listed_first(&mut admin).await;
        let limited = admin.issue(until(Some(after(&vault.clock, 60)))).await.unwrap();
        let refused = revoke(&mut admin, &first).await;
        let message = refused.as_ref().unwrap_err().message().to_owned();
        assert!(message.contains("strongroom-vault --issue-admin-token FILE"), "{message}");
        assert_refused(refused, Code::FailedPrecondition, "LAST_ADMIN");
        let mut limited = vault.clients(&limited.secret);
        assert_refused(revoke(&mut limited, &first).await, Code::FailedPrecondition, "LAST_ADMIN");
        let second = admin.issue(token("admin")).await.unwrap();
        assert_refused(revoke(&mut admin, &first).await, Code::FailedPrecondition, "LAST_ADMIN");
        revoke(&mut admin, &id_of(&second)).await.unwrap();
        assert!(admin.event_names("token.revoked").await.len() == 1, "refusals change nothing");
    }
}

/// The id of the very first token.
async fn listed_first(admin: &mut crate::support::Clients) -> String {
    let tokens = admin.tokens.list_tokens(strongroom_api::vault::v1::ListTokensRequest::default()).await;
    tokens.unwrap().into_inner().tokens[0].id.clone()
}
