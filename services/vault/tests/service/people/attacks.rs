//! One person tries to approve their own request, in several disguises. Each attempt is refused and logged.

use strongroom_api::vault::v1::selector::Selector as Kind;
use strongroom_api::vault::v1::{IssueTokenRequest, ListTokensRequest, ReissueTokenRequest, Selector, Token};
use strongroom_testkit::requests::{TokenBuilder as _, token};
use tonic::Code;

use super::{approve, issue, remove};
use crate::support::{Clients, TestVault, assert_refused, enrol, enrolled, renew};

async fn token_of(clients: &mut Clients, id: &str) -> Token {
    let request = ListTokensRequest::default();
    let tokens = clients.tokens.list_tokens(request).await.unwrap().into_inner().tokens;
    tokens.into_iter().find(|token| token.id == id).unwrap()
}

#[tokio::test]
async fn issued_tokens_are_their_issuer_s_person() {
    for vault in TestVault::each().await {
        let (mut ada, mut ben) = (enrolled(&vault, "Ada").await, enrolled(&vault, "Ben").await);
        let (child, mut child_clients) = issue(&vault, &mut ada).await;
        let (_, mut grandchild) = issue(&vault, &mut child_clients).await;
        assert_eq!(token_of(&mut ada, &child).await.person, "Ada");
        let asked = enrol(&mut child_clients, "Cleo", &child).await.unwrap().request.unwrap();
        for disguised in [&mut ada, &mut child_clients, &mut grandchild] {
            assert_refused(approve(disguised, &asked.id).await, Code::PermissionDenied, "APPROVER_DEPENDENT");
        }
        assert_eq!(ada.events("person.request_approved").await.len(), 3, "each try is in the log");
        approve(&mut ben, &asked.id).await.unwrap();
    }
}

#[tokio::test]
async fn an_enrolled_token_acts_only_after_its_issuer_no_longer_knows_it() {
    for vault in TestVault::each().await {
        let (mut ada, mut ben) = (enrolled(&vault, "Ada").await, enrolled(&vault, "Ben").await);
        let (id, mut known_to_ada) = issue(&vault, &mut ada).await;
        let (_, mut made_before) = issue(&vault, &mut known_to_ada).await;
        let asked = enrol(&mut ada, "Cleo", &id).await.unwrap().request.unwrap();
        approve(&mut ben, &asked.id).await.unwrap();
        assert!(token_of(&mut ada, &id).await.renewal_due);
        let (_, mut made_meanwhile) = issue(&vault, &mut known_to_ada).await;
        let removal = remove(&mut ada, "Ben").await.unwrap();
        for disguised in [&mut known_to_ada, &mut made_before, &mut made_meanwhile] {
            assert_refused(
                approve(disguised, &removal.id).await,
                Code::PermissionDenied,
                "APPROVER_DEPENDENT",
            );
        }
        assert_refused(remove(&mut known_to_ada, "Ben").await, Code::FailedPrecondition, "NOT_A_PERSON");
        let mut cleo = renew(&vault, known_to_ada).await;
        assert_eq!(token_of(&mut ada, &id).await.person, "Cleo");
        assert_refused(
            approve(&mut made_before, &removal.id).await,
            Code::PermissionDenied,
            "APPROVER_DEPENDENT",
        );
        approve(&mut cleo, &removal.id).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_that_is_reissued_is_its_reissuer_s() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let (mut ada, mut ben) = (enrolled(&vault, "Ada").await, enrolled(&vault, "Ben").await);
    let (id, clients) = issue(&vault, &mut admin).await;
    let asked = enrol(&mut ada, "Cleo", &id).await.unwrap().request.unwrap();
    approve(&mut ben, &asked.id).await.unwrap();
    drop(renew(&vault, clients).await);
    let taken = ada.tokens.reissue_token(ReissueTokenRequest { id: id.clone() }).await.unwrap().into_inner();
    assert_eq!(token_of(&mut ada, &id).await.person, "Ada");
    let removal = remove(&mut ada, "Ben").await.unwrap();
    let taken = approve(&mut vault.clients(&taken.secret), &removal.id).await;
    assert_refused(taken, Code::PermissionDenied, "APPROVER_DEPENDENT");
}

#[tokio::test]
async fn who_is_enrolled_after_a_request_does_not_approve_it() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let (mut ada, mut ben) = (enrolled(&vault, "Ada").await, enrolled(&vault, "Ben").await);
        let removal = remove(&mut ada, "Ben").await.unwrap();
        let (id, clients) = issue(&vault, &mut admin).await;
        let asked = enrol(&mut ada, "Cleo", &id).await.unwrap().request.unwrap();
        approve(&mut ben, &asked.id).await.unwrap();
        let mut cleo = renew(&vault, clients).await;
        assert_refused(approve(&mut cleo, &removal.id).await, Code::PermissionDenied, "APPROVER_DEPENDENT");
        assert_refused(approve(&mut admin, &removal.id).await, Code::PermissionDenied, "APPROVER_DEPENDENT");
        approve(&mut ben, &removal.id).await.unwrap();
    }
}

#[tokio::test]
async fn somebody_else_s_token_is_not_enrolled_again() {
    let vault = TestVault::sqlite().await;
    let (mut ada, mut ben) = (enrolled(&vault, "Ada").await, enrolled(&vault, "Ben").await);
    let bens = ada.tokens.list_tokens(ListTokensRequest::default()).await.unwrap().into_inner().tokens;
    let bens = bens.into_iter().find(|token| token.person == "Ben").unwrap().id;
    let asked = enrol(&mut ada, "Cleo", &bens).await.unwrap().request.unwrap();
    assert_refused(approve(&mut ben, &asked.id).await, Code::FailedPrecondition, "SUBJECT_TAKEN");
}

/// Ada reissues the token that Ben is about to approve as Cleo's: if it were approved, she would be two people.
#[tokio::test]
async fn a_token_that_changed_hands_since_is_not_enrolled() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let (mut ada, mut ben) = (enrolled(&vault, "Ada").await, enrolled(&vault, "Ben").await);
        let (id, clients) = issue(&vault, &mut admin).await;
        let asked = enrol(&mut ada, "Cleo", &id).await.unwrap().request.unwrap();
        ada.tokens.reissue_token(ReissueTokenRequest { id: id.clone() }).await.unwrap();
        assert_refused(approve(&mut ben, &asked.id).await, Code::FailedPrecondition, "SUBJECT_CHANGED");

        let (id, other) = issue(&vault, &mut admin).await;
        let asked = enrol(&mut ada, "Cleo", &id).await.unwrap().request.unwrap();
        drop((clients, renew(&vault, other).await));
        assert_refused(approve(&mut ben, &asked.id).await, Code::FailedPrecondition, "SUBJECT_CHANGED");
        let again = enrol(&mut ada, "Cleo", &id).await.unwrap().request.unwrap();
        assert_ne!(again.id, asked.id, "another secret is another request");
        approve(&mut ben, &again.id).await.unwrap();
    }
}

#[tokio::test]
async fn what_could_never_approve_is_not_enrolled() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let narrowed =
        token("admin").selectors(vec![Selector { selector: Some(Kind::Provider("openai".into())) }]);
    let bound = IssueTokenRequest { service: "backup".into(), ..token("admin") };
    for unfit in [token("backup-service"), token("auditor"), narrowed, bound] {
        let id = admin.issue(unfit).await.unwrap().token.unwrap().id;
        assert_refused(enrol(&mut admin, "Ada", &id).await, Code::FailedPrecondition, "SUBJECT_UNFIT");
    }
}
