//! `strongroom person`.

use anyhow::{Context as _, Result};
use strongroom_api::vault::v1::enrol_person_request::Subject as Wanted;
use strongroom_api::vault::v1::{
    ApprovePersonRequestRequest, EnrolPersonRequest, ListPeopleRequest, ListPersonRequestsRequest, Person,
    PersonRequest, RemovePersonRequest,
};

use crate::cli::{PersonCommand, Subject};
use crate::client::{Connection, unary, vault};
use crate::output::{Format, Table, key_values, message, printable};
use crate::time::shown;

const PERSON: &str = "strongroom.vault.v1.Person";
const PERSON_REQUEST: &str = "strongroom.vault.v1.PersonRequest";
const NO_REQUEST: &str = "the vault answered without a request";

pub(super) async fn run(command: PersonCommand, format: Format) -> Result<()> {
    let vault = vault()?;
    match command {
        PersonCommand::Enrol { name, subject } => enrol(&vault, name, subject, format).await,
        PersonCommand::List => {
            let answer = vault.answer(vault.people().list_people(unary(ListPeopleRequest {}))).await?;
            format.list(PERSON, &answer.people, || people(&answer.people))
        }
        PersonCommand::Remove { name } => {
            let request = unary(RemovePersonRequest { name });
            let answer = vault.answer(vault.people().remove_person(request)).await?;
            asked(&answer.request.context(NO_REQUEST)?, format)
        }
        PersonCommand::Requests => {
            let request = unary(ListPersonRequestsRequest {});
            let answer = vault.answer(vault.people().list_person_requests(request)).await?;
            format.list(PERSON_REQUEST, &answer.requests, || requests(&answer.requests))
        }
        PersonCommand::Approve { request } => approve(&vault, request, format).await,
    }
}

async fn enrol(vault: &Connection, name: String, subject: Subject, format: Format) -> Result<()> {
    let token = subject.token.map(Wanted::TokenId);
    let subject = token.or(subject.identity.map(Wanted::Identity));
    let request = unary(EnrolPersonRequest { name, subject });
    let answer = vault.answer(vault.people().enrol_person(request)).await?;
    if let Some(request) = answer.request {
        return asked(&request, format);
    }
    let person = answer.person.context("the vault answered without a person")?;
    format.message(PERSON, &person, || details(&person))?;
    tell_pending(&person.pending_members);
    Ok(())
}

async fn approve(vault: &Connection, id: String, format: Format) -> Result<()> {
    let request = unary(ApprovePersonRequestRequest { id });
    let answer = vault.answer(vault.people().approve_person_request(request)).await?;
    let request = answer.request.context(NO_REQUEST)?;
    format.message(PERSON_REQUEST, &request, || request_details(&request))?;
    if request.subject.starts_with("token:") {
        tell_pending(std::slice::from_ref(&request.subject));
    }
    Ok(())
}

fn tell_pending(pending: &[String]) {
    for token in pending {
        let token = printable(token);
        message(&format!(
            "the holder of {token} now runs `strongroom token renew`; until then the token works, but does \
             not count as that person"
        ));
    }
}

fn asked(request: &PersonRequest, format: Format) -> Result<()> {
    format.message(PERSON_REQUEST, request, || request_details(request))?;
    let id = printable(&request.id);
    message(&format!(
        "nothing is changed yet: another person must approve it with `strongroom person approve {id}`"
    ));
    Ok(())
}

fn details(person: &Person) -> String {
    key_values([
        ("id", person.id.clone()),
        ("name", person.name.clone()),
        ("enrolled", shown(person.create_time.as_ref())),
        ("enrolled by", person.enroller.clone()),
        ("tokens and identities", person.members.join(", ")),
        ("not renewed", person.pending_members.join(", ")),
    ])
}

fn people(people: &[Person]) -> Table {
    let mut table = Table::new(&["NAME", "ENROLLED", "ENROLLED BY", "TOKENS AND IDENTITIES", "NOT RENEWED"]);
    for person in people {
        table.row([
            &person.name,
            &shown(person.create_time.as_ref()),
            &person.enroller,
            &person.members.join(", "),
            &person.pending_members.join(", "),
        ]);
    }
    table
}

fn request_details(request: &PersonRequest) -> String {
    key_values([
        ("id", request.id.clone()),
        ("action", request.action.clone()),
        ("name", request.name.clone()),
        ("token or identity", request.subject.clone()),
        ("requester", request.requester.clone()),
        ("requester's person", request.requester_person.clone()),
        ("approver", request.approver.clone()),
        ("expires", shown(request.expire_time.as_ref())),
    ])
}

fn requests(requests: &[PersonRequest]) -> Table {
    let mut table = Table::new(&["ID", "ACTION", "NAME", "TOKEN OR IDENTITY", "REQUESTER", "EXPIRES"]);
    for request in requests {
        table.row([
            &request.id,
            &request.action,
            &request.name,
            &request.subject,
            &request.requester_person,
            &shown(request.expire_time.as_ref()),
        ]);
    }
    table
}
