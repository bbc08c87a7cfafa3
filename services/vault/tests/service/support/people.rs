//! People in a test.

use strongroom_api::vault::v1::enrol_person_request::Subject;
use strongroom_api::vault::v1::{
    EnrolPersonRequest, EnrolPersonResponse, IssueTokenRequest, RenewTokenRequest,
};
use strongroom_testkit::requests::token;
use tonic::Status;

use super::{Clients, TestVault};

/// Requests the enrolment of a token.
pub(crate) async fn enrol(
    clients: &mut Clients,
    name: &str,
    token_id: &str,
) -> Result<EnrolPersonResponse, Status> {
    let subject = Some(Subject::TokenId(token_id.into()));
    let request = EnrolPersonRequest { name: name.into(), subject };
    Ok(clients.people.enrol_person(request).await?.into_inner())
}

/// The same clients with another secret.
pub(crate) async fn renew(vault: &TestVault, mut clients: Clients) -> Clients {
    let renewed = clients.tokens.renew_token(RenewTokenRequest {}).await.unwrap().into_inner();
    vault.clients(&renewed.secret)
}

/// One of the first two people, with an admin token that was issued, enrolled and renewed.
pub(crate) async fn enrolled(vault: &TestVault, name: &str) -> Clients {
    let mut admin = vault.admin().await;
    let issued = admin.issue(IssueTokenRequest { name: name.into(), ..token("admin") }).await.unwrap();
    let done = enrol(&mut admin, name, &issued.token.unwrap().id).await.unwrap();
    assert!(done.person.is_some() && done.request.is_none(), "{done:?}");
    renew(vault, vault.clients(&issued.secret)).await
}
