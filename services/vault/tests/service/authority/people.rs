//! Steps with people: one makes a request, and another approves it.

use strongroom_api::vault::v1::{
    ApproveKeyRequestRequest, ApprovePersonRequestRequest, DisableKeyVersionRequest, EnableKeyVersionRequest,
    ListKeyVersionsRequest, RemovePersonRequest, RotateKeyRequest,
};
use strongroom_runtime::status::reason_of;

use super::game::Game;
use super::model::{Request, Wish};
use crate::support::{Clients, enrol, metadata_of};

/// A version of the credentials' key that is no longer primary, but needed.
pub(super) async fn rotated(admin: &mut Clients) -> String {
    let key_id = "credential".to_owned();
    let versions =
        admin.keys.list_key_versions(ListKeyVersionsRequest {}).await.unwrap().into_inner().versions;
    let kid = versions.into_iter().find(|version| version.key_id == key_id).unwrap().kid;
    admin.keys.rotate_key(RotateKeyRequest { key_id }).await.unwrap();
    kid
}

impl Game {
    pub(super) async fn enrol(&mut self, caller: usize, name: &'static str, subject: usize) {
        let id = self.model.tokens[subject].id.clone();
        let answer = enrol(&mut self.clients(caller), name, &id).await;
        let model = &self.model;
        let is_valid = model.rules(caller) && model.rules(subject) && !model.ended()[subject];
        if is_valid && model.are_first() {
            let is_done = model.named(name).is_none() && model.can_be_enrolled(subject);
            assert_eq!(answer.is_ok(), is_done, "{answer:?}");
            if is_done {
                assert!(answer.unwrap().person.is_some(), "the first two are enrolled at once");
                self.model.enrol(name, None, subject);
            }
            return;
        }
        match model.acts_for(caller).filter(|_| is_valid) {
            None => assert!(answer.is_err(), "{answer:?}"),
            Some(asker) => {
                let secret = model.tokens[subject].secret.clone();
                let wish = Wish::Enrol { name, person: model.named(name), subject, secret };
                self.asked(asker, answer.unwrap().request.unwrap().id, wish);
            }
        }
    }

    pub(super) async fn remove(&mut self, caller: usize, name: &str) {
        let answer =
            self.clients(caller).people.remove_person(RemovePersonRequest { name: name.into() }).await;
        let asker = self.model.acts_for(caller).filter(|_| self.model.rules(caller));
        match asker.zip(self.model.named(name)) {
            None => assert!(answer.is_err(), "{answer:?}"),
            Some((asker, person)) => {
                let id = answer.unwrap().into_inner().request.unwrap().id;
                self.asked(asker, id, Wish::Remove(person));
            }
        }
    }

    /// Repeating a request while it is open returns the same request.
    fn asked(&mut self, requester: usize, id: String, wish: Wish) {
        let open = |request: &&Request| {
            self.model.is_open(request) && request.requester == requester && request.wish == wish
        };
        if let Some(same) = self.model.requests.iter().find(open) {
            assert_eq!(same.id, id, "{wish:?}");
            return;
        }
        assert!(self.model.requests.iter().all(|request| request.id != id), "{wish:?} is another request");
        let created = self.model.seconds;
        self.model.requests.push(Request { id, wish, requester, created, approver: None, used: false });
    }

    /// Disables the needed version, which works once another person has approved it, and enables it again.
    pub(super) async fn disable(&mut self, caller: usize) {
        let request = DisableKeyVersionRequest { kid: self.needed.clone() };
        let answer = self.clients(caller).keys.disable_key_version(request).await;
        let asker = self.model.acts_for(caller).filter(|_| self.model.rules(caller));
        let approved = self.model.requests.iter().position(|request| {
            let is_its_own = asker == Some(request.requester) && request.wish == Wish::Disable;
            is_its_own && self.model.is_approved(request) && self.model.is_open(request)
        });
        assert_eq!(answer.is_ok(), approved.is_some(), "{answer:?}");
        if let Some(request) = approved {
            self.model.requests[request].used = true;
            self.seen.disabled += 1;
            let enable = EnableKeyVersionRequest { kid: self.needed.clone() };
            self.admin.keys.enable_key_version(enable).await.unwrap();
            return;
        }
        let refused = answer.unwrap_err();
        let request_id = metadata_of(&refused).get("request_id").cloned();
        match asker {
            Some(asker) => {
                assert_eq!(reason_of(&refused), "KEY_VERSION_IN_USE");
                self.asked(asker, request_id.unwrap(), Wish::Disable);
            }
            None => assert_eq!(request_id.filter(|id| !id.is_empty()), None, "nobody has asked"),
        }
    }

    pub(super) async fn approve(&mut self, caller: usize, at: usize) {
        let request = self.model.requests[at].clone();
        let (mut clients, id) = (self.clients(caller), request.id.clone());
        let answer = match request.wish {
            Wish::Disable => {
                clients.keys.approve_key_request(ApproveKeyRequestRequest { id }).await.map(drop)
            }
            _ => clients.people.approve_person_request(ApprovePersonRequestRequest { id }).await.map(drop),
        };
        let is_approved = self.model.approves(caller, &request);
        assert_eq!(answer.is_ok(), is_approved, "{answer:?} to token {caller} for {request:?}");
        if !is_approved {
            self.seen.refused_approvals += 1;
            return;
        }
        self.model.requests[at].approver = self.model.acts_for(caller);
        match request.wish {
            Wish::Disable => return,
            Wish::Enrol { name, person, subject, .. } => {
                self.model.enrol(name, person, subject);
                self.seen.enrolled += 1;
            }
            Wish::Remove(person) => {
                self.model.people[person].removed = true;
                self.seen.removed += 1;
            }
        }
        self.model.requests[at].used = true;
    }
}
