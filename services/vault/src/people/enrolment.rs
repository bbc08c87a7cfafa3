//! Enrolling and removing people: the first two are enrolled at once; anything later is a request.

use strongroom_runtime::Caller;
use uuid::Uuid;

use super::{Fitness, People};
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::store::{
    Enrolled, Enrolment, Grounds, Lineages, NewEvent, PersonAction, PersonRequestRow, PersonRow, TOKEN,
    TokenRow,
};

/// Time within which a request can be approved, in microseconds.
const LAPSES_AFTER: i64 = 24 * 60 * 60 * 1_000_000;

/// Time before a break-glass token can enrol anybody, in which holders of the other tokens can revoke it.
const GLASS_WAITS: i64 = 24 * 60 * 60 * 1_000_000;

/// Result of an enrolment.
pub(crate) enum Answer {
    /// The enrolment is complete.
    Enrolled(String),
    /// Another person must approve the enrolment.
    Asked(Box<PersonRequestRow>),
}

impl People {
    /// Enrols `subject`, a `token:<id>` or an `identity:<name>`, for the person `name`.
    pub(crate) async fn enrol(&self, caller: &Caller, name: &str, subject: &str) -> Result<Answer> {
        let subject_hash = self.check_subject(subject).await?;
        let grounds = self.grounds(caller).await?;
        let glass = matches!(grounds, Grounds::BreakGlass);
        let enrolment =
            Enrolment { person: self.new_person(caller, name), subject: subject.to_owned(), grounds };
        let event = Event::by(caller, self.now(), "person.enrolled", name)
            .with("subject", subject)
            .with("person_id", enrolment.person.id.as_str())
            .with("grounds", if glass { "break-glass" } else { "first people" })
            .of_change()
            .finish();
        match self.store.enrol(&enrolment, &event).await? {
            Enrolled::NotFirst if glass => Err(Error::GlassSpent),
            Enrolled::NotFirst => {
                let request = self.ask_to_enrol(caller, name, subject, subject_hash).await?;
                Ok(Answer::Asked(Box::new(request)))
            }
            other => {
                done(other, name, subject)?;
                Ok(Answer::Enrolled(enrolment.person.id))
            }
        }
    }

    /// Asks for the removal of a person.
    pub(crate) async fn remove(&self, caller: &Caller, name: &str) -> Result<PersonRequestRow> {
        let asking = self.asking(caller).await?;
        let person = self.named(name).await?.ok_or_else(|| Error::PersonNotFound(name.to_owned()))?;
        let request = self.request(caller, &asking, PersonAction::Remove, name);
        self.open(caller, PersonRequestRow { person: person.id, ..request }).await
    }

    async fn ask_to_enrol(
        &self,
        caller: &Caller,
        name: &str,
        subject: &str,
        subject_hash: String,
    ) -> Result<PersonRequestRow> {
        let asking = self.asking(caller).await?;
        let person = self.named(name).await?.map(|person| person.id).unwrap_or_default();
        let request = self.request(caller, &asking, PersonAction::Enrol, name);
        let subject = subject.to_owned();
        self.open(caller, PersonRequestRow { person, subject, subject_hash, ..request }).await
    }

    fn request(
        &self,
        caller: &Caller,
        asking: &PersonRow,
        action: PersonAction,
        name: &str,
    ) -> PersonRequestRow {
        let now = self.now();
        PersonRequestRow {
            id: Uuid::now_v7().to_string(),
            action,
            name: name.to_owned(),
            person: String::new(),
            subject: String::new(),
            subject_hash: String::new(),
            requester: caller.principal.id.clone(),
            requester_person: asking.id.clone(),
            approver: String::new(),
            create_time: now,
            expire_time: now + LAPSES_AFTER,
            consume_time: None,
        }
    }

    async fn open(&self, caller: &Caller, request: PersonRequestRow) -> Result<PersonRequestRow> {
        let event = Event::by(caller, self.now(), "person.request_opened", &request.name)
            .with("request_id", request.id.as_str())
            .with("action", request.action.as_str())
            .with("subject", request.subject.as_str())
            .of_change()
            .finish();
        Ok(self.store.open_person_request(&request, &event).await?)
    }

    /// The requesting caller's person.
    async fn asking(&self, caller: &Caller) -> Result<PersonRow> {
        self.of(caller).await?.ok_or(Error::NoPerson)
    }

    /// The grounds on which the caller can enrol at once. The store refuses the enrolment if all people that the
    /// grounds allow are already enrolled. Tokens issued through a new break-glass token have to wait as long as it
    /// does.
    async fn grounds(&self, caller: &Caller) -> Result<Grounds> {
        let Some(id) = caller.principal.id.strip_prefix(TOKEN) else { return Ok(Grounds::First) };
        let lineages = self.store.lineages(&[id.to_owned()]).await?;
        // If a row in the chain is missing or was changed, the root above it may be a break-glass token.
        if self.has_ended(&lineages, id) {
            return Err(Error::TokenEnded);
        }
        let is_young = |root: &&TokenRow| root.break_glass && self.now() - root.create_time < GLASS_WAITS;
        if lineages.root(id).filter(is_young).is_some() {
            return Err(Error::GlassWaits);
        }
        let own = lineages.token(id).is_some_and(|token| token.break_glass);
        Ok(if own { Grounds::BreakGlass } else { Grounds::First })
    }

    pub(super) fn new_person(&self, caller: &Caller, name: &str) -> PersonRow {
        PersonRow {
            id: Uuid::now_v7().to_string(),
            name: name.to_owned(),
            create_time: self.now(),
            remove_time: None,
            enroller: caller.principal.id.clone(),
        }
    }

    /// Refuses a subject that could never act for a person. Acting for a person means approving requests, which needs
    /// the role of [`Fitness`] without selectors, and, for a token, renewing it at this service first. Returns the
    /// token's SHA-256 in hex; empty for an identity.
    async fn check_subject(&self, subject: &str) -> Result<String> {
        let missing = || Error::SubjectNotFound(subject.to_owned());
        let Some(id) = subject.strip_prefix(TOKEN) else {
            return match (self.knows(subject), self.fitness.identities.iter().any(|one| one == subject)) {
                (_, true) => Ok(String::new()),
                (true, false) => Err(Error::SubjectUnfit(subject.to_owned())),
                (false, false) => Err(missing()),
            };
        };
        let lineages = self.store.lineages(&[id.to_owned()]).await?;
        let token = lineages.token(id).filter(|_| !self.has_ended(&lineages, id)).ok_or_else(missing)?;
        let Fitness { role, service, .. } = self.fitness;
        let is_accepted = token.service.is_empty() || token.service == service;
        if token.role != role || token.selectors != "{}" || !is_accepted {
            return Err(Error::SubjectUnfit(subject.to_owned()));
        }
        Ok(hex::encode(&token.hash))
    }

    fn has_ended(&self, lineages: &Lineages, id: &str) -> bool {
        lineages.ended(id, self.now(), |identity| self.knows(identity)).is_some()
    }

    fn knows(&self, identity: &str) -> bool {
        self.identities.iter().any(|known| known == identity)
    }

    /// Carries out an approved enrolment.
    pub(super) async fn enrol_approved(
        &self,
        request: &PersonRequestRow,
        enrolment: &Enrolment,
        event: &NewEvent,
    ) -> Result<()> {
        self.check_subject(&request.subject).await?;
        done(self.store.enrol(enrolment, event).await?, &request.name, &request.subject)
    }
}

/// The error for a refused enrolment.
pub(super) fn done(enrolled: Enrolled, name: &str, subject: &str) -> Result<()> {
    Err(match enrolled {
        Enrolled::Done => return Ok(()),
        Enrolled::NotFirst => Error::GlassSpent,
        Enrolled::Closed => Error::PersonRequestClosed,
        Enrolled::NameTaken => Error::PersonExists(name.to_owned()),
        Enrolled::PersonMissing => Error::PersonNotFound(name.to_owned()),
        Enrolled::SubjectMissing => Error::SubjectNotFound(subject.to_owned()),
        Enrolled::SubjectChanged => Error::SubjectChanged(subject.to_owned()),
        Enrolled::SubjectTaken(owner) => Error::SubjectTaken { subject: subject.to_owned(), owner },
        Enrolled::TooFew => Error::TooFewPeople,
    })
}
