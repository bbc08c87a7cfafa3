//! Enrolling and removing: at once for the first two people, else a request.

use strongroom_runtime::Caller;
use uuid::Uuid;

use super::{Fitness, People};
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::store::{
    Enrolled, Enrolment, Grounds, Lineages, NewEvent, PersonAction, PersonRequestRow, PersonRow, TOKEN,
    TokenRow,
};

/// How long a request can be approved, in microseconds.
const LAPSES_AFTER: i64 = 24 * 60 * 60 * 1_000_000;

/// How long a break-glass token cannot enrol anybody: whoever holds the others has so long to revoke it.
const GLASS_WAITS: i64 = 24 * 60 * 60 * 1_000_000;

/// What became of a wish to enrol somebody.
pub(crate) enum Answer {
    /// It is done.
    Enrolled(String),
    /// Another person must approve it.
    Asked(Box<PersonRequestRow>),
}

impl People {
    /// Makes `subject`, a `token:<id>` or an `identity:<name>`, that of the person `name`.
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

    /// The person of a caller that asks.
    async fn asking(&self, caller: &Caller) -> Result<PersonRow> {
        self.of(caller).await?.ok_or(Error::NoPerson)
    }

    /// On what grounds the caller may enrol at once, if there is still room. What a young break-glass token has issued waits
    /// with it.
    async fn grounds(&self, caller: &Caller) -> Result<Grounds> {
        let Some(id) = caller.principal.id.strip_prefix(TOKEN) else { return Ok(Grounds::First) };
        let lineages = self.store.lineages(&[id.to_owned()]).await?;
        // Above a row that is missing, or was changed, nothing tells whether a break-glass token is the root.
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

    /// Refuses what could never act for a person: somebody who is enrolled approves, and renews the token before. The
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

/// The refusal of what was not done.
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
