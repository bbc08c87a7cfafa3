//! A token can be bound to one service; to the other one it is unknown.

use strongroom_api::vault::v1::{IssueTokenRequest, ListCredentialsRequest};
use strongroom_testkit::requests::token;
use tonic::Code;

use super::{id_of, is_active, listed};
use crate::support::{Clients, TestVault, assert_field};

fn bound(role: &str, service: &str) -> IssueTokenRequest {
    IssueTokenRequest { service: service.into(), ..token(role) }
}

async fn calls_the_vault(mut clients: Clients) -> Result<(), Code> {
    let answer = clients.credentials.list_credentials(ListCredentialsRequest::default()).await;
    answer.map(drop).map_err(|status| status.code())
}

#[tokio::test]
async fn a_token_is_accepted_by_the_service_that_it_is_bound_to() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        for (service, here, there) in
            [("", Ok(()), true), ("vault", Ok(()), false), ("backup", Err(Code::Unauthenticated), true)]
        {
            let issued = admin.issue(bound("operator", service)).await.unwrap();
            assert_eq!(calls_the_vault(vault.clients(&issued.secret)).await, here, "{service}");
            assert_eq!(is_active(&mut admin, &issued.secret).await, there, "{service}");
            assert_eq!(listed(&mut admin, &id_of(&issued)).await.service, service);
        }
    }
}

#[tokio::test]
async fn a_binding_is_passed_on() {
    let vault = TestVault::sqlite().await;
    let issuer = vault.admin().await.issue(bound("admin", "vault")).await.unwrap();
    let mut issuer = vault.clients(&issuer.secret);
    assert_eq!(issuer.issue(token("gateway")).await.unwrap().token.unwrap().service, "vault");
    assert_field(issuer.issue(bound("gateway", "backup")).await, "service");
}
