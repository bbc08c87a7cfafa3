//! Requests about people: one person makes a request, and it is carried out when another approves it.

use strongroom_runtime::Caller;

use super::enrolment::done;
use super::{People, dependence};
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::store::{Enrolment, Grounds, Outcome, PersonAction, PersonApproval, PersonRequestRow};

impl People {
    /// Requests that can be approved, newest first.
    pub(crate) async fn requests(&self) -> Result<Vec<PersonRequestRow>> {
        Ok(self.store.open_person_requests(self.now()).await?)
    }

    /// Approves the request and carries it out.
    pub(crate) async fn approve(&self, caller: &Caller, id: &str) -> Result<PersonRequestRow> {
        let request = self.one(id).await?;
        self.check_approver(caller, &request).await?;
        let approver = caller.principal.id.clone();
        let approval = PersonApproval { request_id: id.to_owned(), approver, now: self.now() };
        let name = match request.action {
            PersonAction::Enrol => "person.enrolled",
            PersonAction::Remove => "person.removed",
        };
        let event = Event::by(caller, self.now(), name, &request.name)
            .with("request_id", id)
            .with("requester", request.requester.as_str());
        match request.action {
            PersonAction::Enrol => {
                let person = self.new_person(caller, &request.name);
                let person_id = if request.person.is_empty() { &person.id } else { &request.person };
                let event = event
                    .with("subject", request.subject.as_str())
                    .with("person_id", person_id.as_str())
                    .of_change()
                    .finish();
                let subject = request.subject.clone();
                let enrolment = Enrolment { person, subject, grounds: Grounds::Approved(approval) };
                self.enrol_approved(&request, &enrolment, &event).await?;
            }
            PersonAction::Remove => {
                let event = event.with("person_id", request.person.as_str()).of_change().finish();
                let removed = self.store.remove_person(&request.person, &approval, &event).await?;
                done(removed, &request.name, "")?;
            }
        }
        self.one(id).await
    }

    async fn check_approver(&self, caller: &Caller, request: &PersonRequestRow) -> Result<()> {
        let person = self.of(caller).await?;
        let mut problem = dependence(person.as_ref(), &request.requester_person, request.create_time);
        if problem.is_none() && self.live(&request.requester_person).await?.is_none() {
            problem = Some("the person who asked for it was removed");
        }
        let Some(problem) = problem else { return Ok(()) };
        let event = Event::by(caller, self.now(), "person.request_approved", &request.name)
            .outcome(Outcome::Denied)
            .with("request_id", request.id.as_str())
            .with("reason", problem)
            .finish();
        self.store.append_event(&event).await?;
        Err(Error::Approver { id: request.id.clone(), problem })
    }

    async fn one(&self, id: &str) -> Result<PersonRequestRow> {
        let found = self.store.person_request(id).await?;
        found.ok_or_else(|| Error::PersonRequestNotFound(id.to_owned()))
    }
}
