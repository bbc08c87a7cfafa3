//! Steps with tokens.

use strongroom_api::vault::v1::selector::Selector as Kind;
use strongroom_api::vault::v1::{
    IssueTokenRequest, ReissueTokenRequest, RenewTokenRequest, RevokeTokenRequest, Selector,
};
use strongroom_testkit::requests::token;

use super::game::{ENVS, Game};
use super::model::{MAX_LINKS, Role, Token};
use crate::tokens::after;

fn selectors(env: Option<&str>) -> Vec<Selector> {
    env.map(|env| Selector { selector: Some(Kind::Label(format!("env={env}"))) }).into_iter().collect()
}

impl Game {
    pub(super) async fn issue_something(&mut self, parent: usize) {
        let role = if self.random.below(3) == 0 { self.random.pick(&Role::ALL) } else { Role::Admin };
        let env = if self.random.below(4) == 0 { Some(self.random.pick(&ENVS)) } else { None };
        let wanted = (self.random.below(8) == 0).then(|| 1 + self.random.below(300) as u64);
        self.issue(parent, role, env, wanted).await;
    }

    /// `wanted`: the requested lifetime in seconds.
    pub(super) async fn issue(
        &mut self,
        parent: usize,
        role: Role,
        env: Option<&'static str>,
        wanted: Option<u64>,
    ) {
        let request = IssueTokenRequest {
            expire_time: wanted.map(|seconds| after(&self.vault.clock, seconds.cast_signed())),
            selectors: selectors(env),
            ..token(role.name())
        };
        let answer = self.clients(parent).issue(request).await;
        let limit = self.model.tokens[parent].expiry;
        let expiry = wanted.map(|seconds| self.model.seconds + seconds);
        let is_late = matches!((expiry, limit), (Some(expiry), Some(limit)) if expiry > limit);
        let grants = self.model.grants(parent, role, env);
        if !grants || is_late || self.model.depth(parent) >= MAX_LINKS {
            let _ = answer.expect_err("what the model refuses");
            return;
        }
        let issued = answer.unwrap();
        self.seen.narrowed += usize::from(env.is_some());
        self.model.tokens.push(Token {
            id: issued.token.unwrap().id,
            secret: issued.secret,
            parent,
            role,
            env,
            expiry: expiry.or(limit),
            revoked: false,
            person: self.model.acts_for(parent),
            enrolled: false,
            renewed: false,
            issued: self.model.seconds,
            cut: None,
        });
    }

    pub(super) async fn revoke(&mut self, caller: usize, at: usize) {
        let request = RevokeTokenRequest { id: self.model.tokens[at].id.clone() };
        let answer = self.clients(caller).tokens.revoke_token(request).await;
        assert_eq!(answer.is_ok(), self.model.rules(caller), "{answer:?}");
        self.model.tokens[at].revoked |= answer.is_ok();
    }

    pub(super) async fn renew(&mut self, holder: usize) {
        let renewed = self.clients(holder).tokens.renew_token(RenewTokenRequest {}).await.unwrap();
        let token = &mut self.model.tokens[holder];
        token.secret = renewed.into_inner().secret;
        token.renewed = token.enrolled;
        if holder == 0 {
            self.admin = self.clients(holder);
        }
    }

    pub(super) async fn reissue(&mut self, parent: usize, at: usize) {
        let request = ReissueTokenRequest { id: self.model.tokens[at].id.clone() };
        let answer = self.clients(parent).tokens.reissue_token(request).await;
        let (model, token) = (&self.model, &self.model.tokens[at]);
        let is_allowed = model.rules(parent)
            && !model.is_over(token)
            && model.depth(parent) < MAX_LINKS
            && !model.is_above(at, parent);
        assert_eq!(answer.is_ok(), is_allowed, "{answer:?}");
        let Ok(answer) = answer else { return };
        let expiry = [token.expiry, model.tokens[parent].expiry].into_iter().flatten().min();
        let person = model.acts_for(parent);
        let (had_ended, now) = (model.ended()[at], model.seconds);
        let token = &mut self.model.tokens[at];
        (token.secret, token.parent, token.expiry) = (answer.into_inner().secret, parent, expiry);
        (token.person, token.enrolled, token.renewed) = (person, false, false);
        token.issued = now;
        if had_ended {
            token.cut = Some(now);
        }
        self.seen.reissued += 1;
    }
}
