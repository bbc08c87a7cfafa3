//! Compares the vault with the model after each step.

use strongroom_api::vault::v1::{ListCredentialsRequest, ListPeopleRequest, ListTokensRequest};
use strongroom_runtime::status::reason_of;

use super::game::{ENVS, Game};
use super::model::Role;
use crate::tokens::is_active;

impl Game {
    pub(super) async fn check(&mut self, step: usize) {
        let ended = self.model.ended();
        for (at, ended) in ended.iter().enumerate() {
            let active = is_active(&mut self.admin, &self.model.tokens[at].secret).await;
            assert_eq!(active, !ended, "step {step}: token {at} of parent {}", self.model.tokens[at].parent);
        }
        self.seen.ended = ended.iter().filter(|ended| **ended).count();
        self.seen.depth = (0..ended.len()).map(|at| self.model.depth(at)).max().unwrap();
        self.check_people(step).await;
        let valid: Vec<usize> = (0..ended.len()).filter(|at| !ended[*at]).collect();
        let one = self.random.pick(&valid);
        self.check_reach(step, one).await;
    }

    /// Everybody who is enrolled, and the owners of the tokens.
    async fn check_people(&mut self, step: usize) {
        let listed = self.admin.people.list_people(ListPeopleRequest {}).await.unwrap().into_inner().people;
        let mut names: Vec<String> = listed.into_iter().map(|person| person.name).collect();
        let live = self.model.live().into_iter().map(|at| self.model.people[at].name.to_owned());
        let mut expected: Vec<String> = live.collect();
        names.sort();
        expected.sort();
        assert_eq!(names, expected, "step {step}");

        let request = ListTokensRequest { page_size: 1000, ..Default::default() };
        let listed = self.admin.tokens.list_tokens(request).await.unwrap().into_inner().tokens;
        for token in &self.model.tokens {
            let found = listed.iter().find(|one| one.id == token.id).unwrap();
            let owner = token.person.map(|at| &self.model.people[at]).filter(|person| !person.removed);
            let whose = owner.map_or("", |person| person.name);
            assert_eq!(found.person, whose, "step {step}: {token:?}");
            let is_due = token.enrolled && !token.renewed && owner.is_some();
            assert_eq!(found.renewal_due, is_due, "step {step}: {token:?}");
        }
    }

    /// What a token lists, opens and may read.
    async fn check_reach(&mut self, step: usize, at: usize) {
        let (mut clients, token) = (self.clients(at), self.model.tokens[at].clone());
        let what = format!("step {step}: {token:?}");
        let is_inside = |env: &str| token.env.is_none_or(|own| own == env);
        let request = ListCredentialsRequest::default();
        let listed = clients.credentials.list_credentials(request).await.unwrap().into_inner().credentials;
        let mut seen: Vec<String> = listed.into_iter().map(|one| one.display_name).collect();
        seen.sort_by_key(|name| ENVS.iter().position(|env| env == name));
        let expected: Vec<&str> = ENVS.into_iter().filter(|env| is_inside(env)).collect();
        assert_eq!(seen, expected, "{what}");

        let opens = matches!(token.role, Role::Admin | Role::Gateway);
        for (env, id) in ENVS.into_iter().zip(&self.credentials) {
            let answer = clients.reveal(id).await;
            match (opens, is_inside(env)) {
                (true, true) => assert_eq!(answer.unwrap(), env, "{what}"),
                (true, false) => {
                    assert_eq!(reason_of(&answer.unwrap_err()), "CREDENTIAL_NOT_FOUND", "{what}");
                }
                (false, _) => assert_eq!(answer.unwrap_err().code(), tonic::Code::PermissionDenied, "{what}"),
            }
        }

        let looks = token.env.is_none() && matches!(token.role, Role::Admin | Role::Auditor);
        let answer = clients.people.list_people(ListPeopleRequest {}).await;
        assert_eq!(answer.is_ok(), looks, "{what}: {answer:?}");
    }

    /// At the end, every valid token tries to approve every request.
    pub(super) async fn check_approvals(&mut self) {
        for request in 0..self.model.requests.len() {
            for token in 0..self.model.tokens.len() {
                if !self.model.ended()[token] {
                    self.approve(token, request).await;
                }
            }
        }
    }
}
