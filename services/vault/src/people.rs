//! People: approvals belong to them, not to tokens, because the holder of one admin token can issue another.
//!
//! A token or an identity belongs to at most one person. An issued token belongs to its issuer's person; an enrolled
//! token belongs to its own person once its holder has renewed its secret, which the issuer knew. An admin enrols the
//! first two people; after that, one person requests a change and another approves it (`requests`).

mod enrolment;
mod requests;

use std::collections::BTreeMap;
use std::sync::Arc;

use strongroom_runtime::{Caller, Clock};

use crate::error::Result;
use crate::store::{PersonRow, Store, TOKEN};

pub(crate) use enrolment::Answer;

/// A person and the tokens and identities that belong to it.
pub(crate) struct Member {
    pub(crate) row: PersonRow,
    /// `token:<id>` and `identity:<name>` that act for the person. Tokens that inherit the person are not listed.
    pub(crate) members: Vec<String>,
    /// Enrolled tokens that their holders have not renewed yet.
    pub(crate) pending: Vec<String>,
}

/// Requirements on a token or identity that acts for a person: approving needs the role, without selectors, at this
/// service.
pub(crate) struct Fitness {
    pub(crate) role: &'static str,
    pub(crate) service: &'static str,
    /// `identity:<name>` of those with the role.
    pub(crate) identities: Vec<String>,
}

/// The people of this vault.
pub(crate) struct People {
    store: Arc<dyn Store>,
    /// `identity:<name>` of each configured identity.
    identities: Vec<String>,
    fitness: Fitness,
    clock: Arc<dyn Clock>,
}

impl People {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        identities: Vec<String>,
        fitness: Fitness,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, identities, fitness, clock }
    }

    /// The person that `caller` acts for; `None` if there is none.
    pub(crate) async fn of(&self, caller: &Caller) -> Result<Option<PersonRow>> {
        let Some(id) = person_of(self.store.as_ref(), &caller.principal.id).await? else { return Ok(None) };
        self.live(&id).await
    }

    /// Everybody who is enrolled, by enrolment time.
    pub(crate) async fn list(&self) -> Result<Vec<Member>> {
        let mut people: BTreeMap<String, Member> = BTreeMap::new();
        let mut order = Vec::new();
        for row in self.enrolled().await? {
            order.push(row.id.clone());
            people.insert(row.id.clone(), Member { row, members: Vec::new(), pending: Vec::new() });
        }
        for token in self.store.enrolled_tokens().await? {
            if let Some(member) = people.get_mut(&token.person) {
                let list = if token.renewed { &mut member.members } else { &mut member.pending };
                list.push(token.principal());
            }
        }
        for identity in self.store.person_identities().await? {
            if let Some(member) = people.get_mut(&identity.person) {
                member.members.push(identity.principal);
            }
        }
        Ok(order.iter().filter_map(|id| people.remove(id)).collect())
    }

    async fn enrolled(&self) -> Result<Vec<PersonRow>> {
        let people = self.store.people().await?;
        Ok(people.into_iter().filter(|person| person.remove_time.is_none()).collect())
    }

    pub(crate) async fn live(&self, id: &str) -> Result<Option<PersonRow>> {
        Ok(self.enrolled().await?.into_iter().find(|person| person.id == id))
    }

    async fn named(&self, name: &str) -> Result<Option<PersonRow>> {
        Ok(self.enrolled().await?.into_iter().find(|person| person.name == name))
    }

    fn now(&self) -> i64 {
        self.clock.now_micros()
    }
}

/// The id of the person that a principal acts for. The person may have been removed.
pub(crate) async fn person_of(store: &dyn Store, principal: &str) -> Result<Option<String>> {
    if let Some(id) = principal.strip_prefix(TOKEN) {
        let token = store.token(id).await?;
        return Ok(token.and_then(|token| token.acts_for().map(str::to_owned)));
    }
    Ok(store.person_identity(principal).await?.map(|identity| identity.person))
}

/// Names of the enrolled people, by id.
pub(crate) async fn names(store: &dyn Store) -> Result<BTreeMap<String, String>> {
    let people = store.people().await?.into_iter().filter(|person| person.remove_time.is_none());
    Ok(people.map(|person| (person.id, person.name)).collect())
}

/// The reason why `approver` cannot approve a request that the person `requester` made at `asked`; `None` if it can.
pub(crate) fn dependence(approver: Option<&PersonRow>, requester: &str, asked: i64) -> Option<&'static str> {
    match approver {
        None => Some(
            "it belongs to no person; enrol it with `strongroom person enrol`, and renew it with `strongroom token renew`",
        ),
        Some(person) if person.id == requester => Some("it belongs to the person who asked for it"),
        Some(person) if person.create_time >= asked => Some("its person was enrolled after the request"),
        Some(_) => None,
    }
}
