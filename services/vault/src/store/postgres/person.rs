//! People in PostgreSQL. Every change runs alone, because each one reads all people.

use async_trait::async_trait;
use strongroom_store::{Result, expect_rows};

use super::append::append;
use super::change::Change;
use super::token::{live_token, update as update_token};
use super::{Codes, Connection, Store};
use crate::store::person::{
    CONSUME_REQUEST, Enrolled, Enrolment, FIRST_PEOPLE, Grounds, IDENTITIES, IDENTITY, INSERT,
    INSERT_REQUEST, OPEN_REQUESTS, PEOPLE, PUT_IDENTITY, PersonApproval, PersonIdentityRow, PersonRequestRow,
    PersonRow, PersonStore, REMOVE, REQUEST, TRACES,
};
use crate::store::token::{ENROLLED, TOKEN};
use crate::store::{NewEvent, TokenRow};

#[async_trait]
impl PersonStore for Store {
    async fn people(&self) -> Result<Vec<PersonRow>> {
        self.codes.open_all(sqlx::query_as(PEOPLE).fetch_all(self.reader()).await?)
    }

    async fn person_identities(&self) -> Result<Vec<PersonIdentityRow>> {
        self.codes.open_all(sqlx::query_as(IDENTITIES).fetch_all(self.reader()).await?)
    }

    async fn person_identity(&self, principal: &str) -> Result<Option<PersonIdentityRow>> {
        self.codes.open_found(sqlx::query_as(IDENTITY).bind(principal).fetch_optional(self.reader()).await?)
    }

    async fn enrolled_tokens(&self) -> Result<Vec<TokenRow>> {
        self.codes.open_all(sqlx::query_as(ENROLLED).fetch_all(self.reader()).await?)
    }

    async fn enrol(&self, enrolment: &Enrolment, event: &NewEvent) -> Result<Enrolled> {
        let mut tx = self.begin_alone().await?;
        let refused = enrol(&mut tx, &self.codes, enrolment, event).await?;
        if refused != Enrolled::Done {
            return Ok(refused);
        }
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Enrolled::Done)
    }

    async fn remove_person(&self, id: &str, approval: &PersonApproval, event: &NewEvent) -> Result<Enrolled> {
        let mut tx = self.begin_alone().await?;
        if consume(&mut tx, &self.codes, approval, event).await?.is_none() {
            return Ok(Enrolled::Closed);
        }
        let people: Vec<PersonRow> =
            self.codes.open_all(sqlx::query_as(PEOPLE).fetch_all(&mut *tx).await?)?;
        let live = || people.iter().filter(|person| person.remove_time.is_none());
        let Some(person) = live().find(|person| person.id == id) else { return Ok(Enrolled::PersonMissing) };
        if live().count() <= FIRST_PEOPLE {
            return Ok(Enrolled::TooFew);
        }
        let removed = PersonRow { remove_time: Some(approval.now), ..person.clone() };
        let seal = self.codes.seal(&removed, event)?;
        let done = sqlx::query(REMOVE)
            .bind(&removed.id)
            .bind(removed.remove_time)
            .bind(seal.row_kid)
            .bind(seal.row_mac)
            .bind(seal.change_id)
            .execute(&mut *tx)
            .await?;
        expect_rows("people", done.rows_affected(), 1)?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Enrolled::Done)
    }

    async fn open_person_request(
        &self,
        request: &PersonRequestRow,
        event: &NewEvent,
    ) -> Result<PersonRequestRow> {
        let mut tx = self.begin_alone().await?;
        let rows = sqlx::query_as(OPEN_REQUESTS).bind(request.create_time).fetch_all(&mut *tx).await?;
        let open: Vec<PersonRequestRow> = self.codes.open_all(rows)?;
        if let Some(same) = open.into_iter().find(|open| open.repeats(request)) {
            return Ok(same);
        }
        let seal = self.codes.seal(request, event)?;
        let done = sqlx::query(INSERT_REQUEST)
            .bind(&request.id)
            .bind(request.action.as_str())
            .bind(&request.name)
            .bind(&request.person)
            .bind(&request.subject)
            .bind(&request.subject_hash)
            .bind(&request.requester)
            .bind(&request.requester_person)
            .bind(&request.approver)
            .bind(request.create_time)
            .bind(request.expire_time)
            .bind(seal.row_kid)
            .bind(seal.row_mac)
            .bind(seal.change_id)
            .execute(&mut *tx)
            .await?;
        expect_rows("person_requests", done.rows_affected(), 1)?;
        append(&mut tx, event).await?;
        tx.commit().await?;
        Ok(request.clone())
    }

    async fn person_request(&self, id: &str) -> Result<Option<PersonRequestRow>> {
        self.codes.open_found(sqlx::query_as(REQUEST).bind(id).fetch_optional(self.reader()).await?)
    }

    async fn open_person_requests(&self, now: i64) -> Result<Vec<PersonRequestRow>> {
        self.codes.open_all(sqlx::query_as(OPEN_REQUESTS).bind(now).fetch_all(self.reader()).await?)
    }
}

/// All of an enrolment except its event.
async fn enrol(tx: &mut Change, codes: &Codes, enrolment: &Enrolment, event: &NewEvent) -> Result<Enrolled> {
    let people: Vec<PersonRow> = codes.open_all(sqlx::query_as(PEOPLE).fetch_all(&mut **tx).await?)?;
    // The person that the request names, and the hash of the secret that it covers.
    let (known, hash) = match &enrolment.grounds {
        Grounds::First if !are_first(tx, &people).await? => return Ok(Enrolled::NotFirst),
        Grounds::BreakGlass if !has_room(&people, &enrolment.person.enroller) => {
            return Ok(Enrolled::NotFirst);
        }
        Grounds::First | Grounds::BreakGlass => (String::new(), None),
        Grounds::Approved(approval) => match consume(tx, codes, approval, event).await? {
            Some(request) => (request.person, Some(request.subject_hash)),
            None => return Ok(Enrolled::Closed),
        },
    };
    if let Some(hash) = hash.filter(|hash| !hash.is_empty())
        && !has_secret(tx, codes, &enrolment.subject, &hash).await?
    {
        return Ok(Enrolled::SubjectChanged);
    }
    let live: Vec<&PersonRow> = people.iter().filter(|person| person.remove_time.is_none()).collect();
    if known.is_empty() {
        if live.iter().any(|person| person.name == enrolment.person.name) {
            return Ok(Enrolled::NameTaken);
        }
        insert(tx, codes, &enrolment.person, event).await?;
        return give(tx, codes, &enrolment.subject, &enrolment.person.id, &live, event).await;
    }
    if !live.iter().any(|person| person.id == known) {
        return Ok(Enrolled::PersonMissing);
    }
    give(tx, codes, &enrolment.subject, &known, &live, event).await
}

/// Whether the first people are not enrolled yet. Deleting rows does not make anybody one of the first again: the log
/// still has the enrolments, and a log whose beginning was pruned may have had them.
async fn are_first(tx: &mut Connection, people: &[PersonRow]) -> Result<bool> {
    if people.len() >= FIRST_PEOPLE {
        return Ok(false);
    }
    let (enrolments, has_lost_events): (i64, bool) = sqlx::query_as(TRACES).fetch_one(tx).await?;
    Ok(enrolments < FIRST_PEOPLE as i64 && !has_lost_events)
}

/// Whether the token still has the secret with this SHA-256, in hex.
async fn has_secret(tx: &mut Connection, codes: &Codes, subject: &str, hash: &str) -> Result<bool> {
    let Some(id) = subject.strip_prefix(TOKEN) else { return Ok(false) };
    Ok(live_token(tx, codes, id).await?.is_some_and(|token| hex::encode(&token.hash) == hash))
}

fn has_room(people: &[PersonRow], enroller: &str) -> bool {
    people.iter().filter(|person| person.enroller == enroller).count() < FIRST_PEOPLE
}

/// Assigns `subject` to the person with the id `person`, unless it belongs to another enrolled person.
async fn give(
    tx: &mut Connection,
    codes: &Codes,
    subject: &str,
    person: &str,
    live: &[&PersonRow],
    event: &NewEvent,
) -> Result<Enrolled> {
    let owner = |id: &str| live.iter().find(|person| person.id == id).map(|person| person.name.clone());
    if let Some(id) = subject.strip_prefix(TOKEN) {
        let Some(token) = live_token(tx, codes, id).await? else { return Ok(Enrolled::SubjectMissing) };
        if let Some(owner) = owner(&token.person).filter(|_| token.enrolled) {
            return Ok(Enrolled::SubjectTaken(owner));
        }
        let enrolled = TokenRow { person: person.to_owned(), enrolled: true, renewed: false, ..token };
        update_token(tx, &enrolled, codes.seal(&enrolled, event)?).await?;
        return Ok(Enrolled::Done);
    }
    let found = sqlx::query_as(IDENTITY).bind(subject).fetch_optional(&mut *tx).await?;
    let found: Option<PersonIdentityRow> = codes.open_found(found)?;
    if let Some(owner) = found.and_then(|row| owner(&row.person)) {
        return Ok(Enrolled::SubjectTaken(owner));
    }
    let row = PersonIdentityRow { principal: subject.to_owned(), person: person.to_owned() };
    put_identity(tx, codes, &row, event).await?;
    Ok(Enrolled::Done)
}

/// Marks an open request as used, in the transaction of the change that it asks for; `None` if it is not open.
async fn consume(
    tx: &mut Connection,
    codes: &Codes,
    approval: &PersonApproval,
    event: &NewEvent,
) -> Result<Option<PersonRequestRow>> {
    let found = sqlx::query_as(REQUEST).bind(&approval.request_id).fetch_optional(&mut *tx).await?;
    let found: Option<PersonRequestRow> = codes.open_found(found)?;
    let Some(request) = found.filter(|request| request.is_open(approval.now)) else { return Ok(None) };
    let consumed =
        PersonRequestRow { approver: approval.approver.clone(), consume_time: Some(approval.now), ..request };
    let seal = codes.seal(&consumed, event)?;
    let done = sqlx::query(CONSUME_REQUEST)
        .bind(&consumed.id)
        .bind(&consumed.approver)
        .bind(consumed.consume_time)
        .bind(seal.row_kid)
        .bind(seal.row_mac)
        .bind(seal.change_id)
        .execute(tx)
        .await?;
    expect_rows("person_requests", done.rows_affected(), 1)?;
    Ok(Some(consumed))
}

async fn insert(tx: &mut Connection, codes: &Codes, person: &PersonRow, event: &NewEvent) -> Result<()> {
    let seal = codes.seal(person, event)?;
    let done = sqlx::query(INSERT)
        .bind(&person.id)
        .bind(&person.name)
        .bind(person.create_time)
        .bind(&person.enroller)
        .bind(seal.row_kid)
        .bind(seal.row_mac)
        .bind(seal.change_id)
        .execute(tx)
        .await?;
    expect_rows("people", done.rows_affected(), 1)
}

async fn put_identity(
    tx: &mut Connection,
    codes: &Codes,
    row: &PersonIdentityRow,
    event: &NewEvent,
) -> Result<()> {
    let seal = codes.seal(row, event)?;
    let done = sqlx::query(PUT_IDENTITY)
        .bind(&row.principal)
        .bind(&row.person)
        .bind(seal.row_kid)
        .bind(seal.row_mac)
        .bind(seal.change_id)
        .execute(tx)
        .await?;
    expect_rows("person_identities", done.rows_affected(), 1)
}
