//! `PersonService`.

use strongroom_api::vault::v1 as proto;
use strongroom_api::vault::v1::enrol_person_request::Subject;
use strongroom_api::vault::v1::person_service_server::PersonService;
use strongroom_api::vault::v1::{
    ApprovePersonRequestRequest, ApprovePersonRequestResponse, EnrolPersonRequest, EnrolPersonResponse,
    ListPeopleRequest, ListPeopleResponse, ListPersonRequestsRequest, ListPersonRequestsResponse,
    RemovePersonRequest, RemovePersonResponse,
};
use strongroom_runtime::{Caller, identity};
use tonic::{Request, Response, async_trait};

use super::convert::timestamp;
use super::{Answer, Api, fields};
use crate::error::{Error, Result};
use crate::people;
use crate::store::{PersonRequestRow, TOKEN};

#[async_trait]
impl PersonService for Api {
    async fn enrol_person(&self, request: Request<EnrolPersonRequest>) -> Answer<EnrolPersonResponse> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let name = fields::text("name", &request.name)?;
        let subject = subject(request.subject.as_ref())?;
        match self.0.people.enrol(&caller, &name, &subject).await? {
            people::Answer::Asked(request) => {
                let request = Some(self.request(*request).await?);
                Ok(Response::new(EnrolPersonResponse { person: None, request }))
            }
            people::Answer::Enrolled(id) => {
                let people = self.0.people.list().await?;
                let person = people.into_iter().find(|person| person.row.id == id).map(Into::into);
                Ok(Response::new(EnrolPersonResponse { person, request: None }))
            }
        }
    }

    async fn list_people(&self, _: Request<ListPeopleRequest>) -> Answer<ListPeopleResponse> {
        let people = self.0.people.list().await?.into_iter().map(Into::into).collect();
        Ok(Response::new(ListPeopleResponse { people }))
    }

    async fn remove_person(&self, request: Request<RemovePersonRequest>) -> Answer<RemovePersonResponse> {
        let caller = Caller::of(&request)?;
        let name = fields::text("name", &request.into_inner().name)?;
        let request = self.0.people.remove(&caller, &name).await?;
        Ok(Response::new(RemovePersonResponse { request: Some(self.request(request).await?) }))
    }

    async fn list_person_requests(
        &self,
        _: Request<ListPersonRequestsRequest>,
    ) -> Answer<ListPersonRequestsResponse> {
        let names = people::names(self.0.store.as_ref()).await?;
        let shown = |row: PersonRequestRow| {
            let requester = names.get(&row.requester_person).cloned().unwrap_or_default();
            to_proto(row, requester)
        };
        let requests = self.0.people.requests().await?.into_iter().map(shown).collect();
        Ok(Response::new(ListPersonRequestsResponse { requests }))
    }

    async fn approve_person_request(
        &self,
        request: Request<ApprovePersonRequestRequest>,
    ) -> Answer<ApprovePersonRequestResponse> {
        let caller = Caller::of(&request)?;
        let id = fields::id("id", &request.into_inner().id)?;
        let request = self.0.people.approve(&caller, &id).await?;
        Ok(Response::new(ApprovePersonRequestResponse { request: Some(self.request(request).await?) }))
    }
}

impl Api {
    async fn request(&self, row: PersonRequestRow) -> Result<proto::PersonRequest> {
        let mut names = people::names(self.0.store.as_ref()).await?;
        let requester = names.remove(&row.requester_person).unwrap_or_default();
        Ok(to_proto(row, requester))
    }
}

/// `token:<id>` or `identity:<name>`.
fn subject(given: Option<&Subject>) -> Result<String> {
    match given {
        Some(Subject::TokenId(id)) => Ok(format!("{TOKEN}{}", fields::id("token_id", id)?)),
        Some(Subject::Identity(name)) => {
            Ok(format!("{}{}", identity::PRINCIPAL, fields::text("identity", name)?))
        }
        None => Err(Error::Field { field: "token_id", problem: "or identity must be given".into() }),
    }
}

fn to_proto(row: PersonRequestRow, requester_person: String) -> proto::PersonRequest {
    proto::PersonRequest {
        id: row.id,
        action: row.action.as_str().to_owned(),
        name: row.name,
        subject: row.subject,
        requester: row.requester,
        requester_person,
        approver: row.approver,
        create_time: Some(timestamp(row.create_time)),
        expire_time: Some(timestamp(row.expire_time)),
    }
}

impl From<people::Member> for proto::Person {
    fn from(member: people::Member) -> Self {
        Self {
            id: member.row.id,
            name: member.row.name,
            enroller: member.row.enroller,
            create_time: Some(timestamp(member.row.create_time)),
            members: member.members,
            pending_members: member.pending,
        }
    }
}
