//! People: who may approve, whom they enrol and remove, and callers who only pretend to be somebody else.

mod attacks;
mod glass;

use strongroom_api::vault::v1::{
    ApprovePersonRequestRequest, ListPeopleRequest, Person, PersonRequest, RemovePersonRequest,
};
use strongroom_testkit::requests::token;
use tonic::{Code, Status};

use crate::support::{Clients, TestVault, assert_refused, enrol, enrolled, renew};

async fn approve(clients: &mut Clients, id: &str) -> Result<PersonRequest, Status> {
    let request = ApprovePersonRequestRequest { id: id.into() };
    Ok(clients.people.approve_person_request(request).await?.into_inner().request.unwrap())
}

async fn remove(clients: &mut Clients, name: &str) -> Result<PersonRequest, Status> {
    let request = RemovePersonRequest { name: name.into() };
    Ok(clients.people.remove_person(request).await?.into_inner().request.unwrap())
}

async fn people(clients: &mut Clients) -> Vec<Person> {
    clients.people.list_people(ListPeopleRequest {}).await.unwrap().into_inner().people
}

async fn names(clients: &mut Clients) -> Vec<String> {
    people(clients).await.into_iter().map(|person| person.name).collect()
}

/// Id and clients of a new admin token.
async fn issue(vault: &TestVault, issuer: &mut Clients) -> (String, Clients) {
    let issued = issuer.issue(token("admin")).await.unwrap();
    (issued.token.unwrap().id, vault.clients(&issued.secret))
}

#[tokio::test]
async fn an_admin_enrols_two_and_they_enrol_the_others() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let (mut ada, mut ben) = (enrolled(&vault, "Ada").await, enrolled(&vault, "Ben").await);
        let (third, third_clients) = issue(&vault, &mut admin).await;
        assert_refused(enrol(&mut admin, "Cleo", &third).await, Code::FailedPrecondition, "NOT_A_PERSON");
        let request = enrol(&mut ada, "Cleo", &third).await.unwrap().request.unwrap();
        assert_eq!((request.action.as_str(), request.requester_person.as_str()), ("enrol", "Ada"));
        assert_eq!(names(&mut admin).await, ["Ada", "Ben"], "nothing is done yet");
        approve(&mut ben, &request.id).await.unwrap();
        let cleo = people(&mut admin).await.pop().unwrap();
        assert_eq!((cleo.members.len(), cleo.pending_members), (0, vec![format!("token:{third}")]));
        let mut cleo = renew(&vault, third_clients).await;
        assert_eq!(people(&mut admin).await[2].members, [format!("token:{third}")]);
        let removal = remove(&mut cleo, "Ben").await.unwrap();
        approve(&mut ada, &removal.id).await.unwrap();
        assert_eq!(names(&mut admin).await, ["Ada", "Cleo"]);
        assert_refused(remove(&mut ben, "Ada").await, Code::FailedPrecondition, "NOT_A_PERSON");
        let last = remove(&mut cleo, "Ada").await.unwrap();
        assert_refused(approve(&mut ada, &last.id).await, Code::FailedPrecondition, "TOO_FEW_PEOPLE");
        assert_refused(remove(&mut cleo, "Ben").await, Code::NotFound, "PERSON_NOT_FOUND");
        let events = admin.event_names("person.*").await;
        assert_eq!(
            events[..4],
            ["person.enrolled", "person.enrolled", "person.request_opened", "person.enrolled"]
        );
        assert_eq!(events[4..], ["person.request_opened", "person.removed", "person.request_opened"]);
    }
}

#[tokio::test]
async fn a_person_may_have_several_tokens() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let (mut ada, mut ben) = (enrolled(&vault, "Ada").await, enrolled(&vault, "Ben").await);
    let (second, second_clients) = issue(&vault, &mut admin).await;
    let request = enrol(&mut ada, "Ben", &second).await.unwrap().request.unwrap();
    approve(&mut ben, &request.id).await.unwrap();
    let mut ben_too = renew(&vault, second_clients).await;
    assert_eq!(people(&mut admin).await[1].members.len(), 2);
    let removal = remove(&mut ben, "Ada").await.unwrap();
    assert_refused(approve(&mut ben_too, &removal.id).await, Code::PermissionDenied, "APPROVER_DEPENDENT");
}
