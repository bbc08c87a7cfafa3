//! The steps: a valid token tries something at random, and the model predicts the result.

use std::time::Duration;

use strongroom_fuzz::Random;
use strongroom_testkit::requests::{CredentialBuilder as _, credential};

use super::model::{Model, Role, Token};
use crate::support::{Clients, TestVault};

pub(super) const ENVS: [&str; 2] = ["staging", "production"];
pub(super) const NAMES: [&str; 4] = ["Ada", "Ben", "Cleo", "Dora"];

/// Events that must have occurred for the steps to have tested anything.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) enrolled: usize,
    pub(super) removed: usize,
    pub(super) disabled: usize,
    pub(super) refused_approvals: usize,
    pub(super) reissued: usize,
    pub(super) narrowed: usize,
    pub(super) ended: usize,
    pub(super) depth: usize,
}

pub(super) struct Game {
    pub(super) vault: TestVault,
    pub(super) admin: Clients,
    pub(super) model: Model,
    pub(super) random: Random,
    pub(super) seen: Seen,
    /// The credentials of [`ENVS`].
    pub(super) credentials: Vec<String>,
    /// A key version that the credentials need.
    pub(super) needed: String,
}

impl Game {
    pub(super) async fn start(vault: TestVault, seed: u64) -> Self {
        let (mut admin, secret) = (vault.admin().await, vault.admin_token().await.trim().to_owned());
        let mut credentials = Vec::new();
        for env in ENVS {
            let labelled = credential(env).labels(&[("env", env)]).secret(env);
            credentials.push(admin.create(labelled).await.id);
        }
        let needed = super::people::rotated(&mut admin).await;
        let first = Token {
            id: secret[4..16].to_owned(),
            secret,
            parent: 0,
            role: Role::Admin,
            env: None,
            expiry: None,
            revoked: false,
            person: None,
            enrolled: false,
            renewed: false,
            issued: 0,
            cut: None,
        };
        let model = Model { tokens: vec![first], ..Model::default() };
        let (random, seen) = (Random::new(seed), Seen::default());
        let mut game = Self { vault, admin, model, random, seen, credentials, needed };
        game.enrol_first().await;
        game
    }

    /// Enrols the first two people, as docs/people.md describes. Without them, most games would end before two people
    /// can act.
    async fn enrol_first(&mut self) {
        for (at, name) in [(1, NAMES[0]), (2, NAMES[1])] {
            self.issue(0, Role::Admin, None, None).await;
            self.enrol(0, name, at).await;
            self.renew(at).await;
        }
    }

    pub(super) fn clients(&self, at: usize) -> Clients {
        self.vault.clients(&self.model.tokens[at].secret)
    }

    fn valid(&self) -> Vec<usize> {
        let ended = self.model.ended();
        (0..ended.len()).filter(|at| !ended[*at]).collect()
    }

    /// A valid token: preferably one of an admin without selectors that acts for a person, and preferably one that was
    /// issued recently, so that chains of issuers grow.
    pub(super) fn caller(&mut self) -> usize {
        let valid = self.valid();
        let ruling: Vec<usize> = valid.iter().copied().filter(|at| self.model.rules(*at)).collect();
        let acting: Vec<usize> =
            ruling.iter().copied().filter(|at| self.model.acts_for(*at).is_some()).collect();
        match self.random.below(8) {
            0 => *valid.last().unwrap(),
            1 => self.random.pick(&valid),
            2 => *ruling.last().unwrap(),
            3 | 4 => self.random.pick(&ruling),
            _ if acting.is_empty() => self.random.pick(&ruling),
            _ => self.random.pick(&acting),
        }
    }

    /// A valid token that was enrolled but not renewed, if there is one.
    fn pending(&self) -> Option<usize> {
        let is_pending = |at: &usize| self.model.tokens[*at].enrolled && !self.model.tokens[*at].renewed;
        self.valid().into_iter().find(is_pending)
    }

    fn advance(&mut self, seconds: u64) {
        self.vault.clock.advance(Duration::from_secs(seconds));
        self.model.seconds += seconds;
    }

    /// Each step takes a second, so that earlier and later events have different times.
    pub(super) async fn step(&mut self) {
        self.advance(1);
        let caller = self.caller();
        // Preferably a token that was issued recently: those of the first two people are the oldest.
        let count = self.model.tokens.len();
        let other = self.random.below(count).max(self.random.below(count)).max(self.random.below(count));
        match self.random.below(26) {
            0 if other != 0 => self.revoke(caller, other).await,
            1 => {
                let seconds = 1 + self.random.below(60) as u64;
                self.advance(seconds);
            }
            2 if self.random.below(6) == 0 => self.advance(24 * 60 * 60),
            3 => self.renew(caller).await,
            4 | 5 => {
                if let Some(pending) = self.pending() {
                    self.renew(pending).await;
                }
            }
            6 if other != 0 => self.reissue(caller, other).await,
            7..=11 => {
                let name = self.random.pick(&NAMES);
                let subject = if self.random.below(3) == 0 { other } else { self.caller() };
                self.enrol(caller, name, subject).await;
            }
            12 | 13 => {
                let live = self.model.live();
                let last = self.model.people[*live.last().unwrap()].name;
                let name = if self.random.below(3) == 0 { self.random.pick(&NAMES) } else { last };
                self.remove(caller, name).await;
            }
            14..=16 => self.disable(caller).await,
            17..=20 if !self.model.requests.is_empty() => {
                // Preferably a recent one, which is likely to be open.
                let count = self.model.requests.len();
                let request = count - 1 - self.random.below(count.min(5));
                self.approve(caller, request).await;
            }
            _ => self.issue_something(caller).await,
        }
    }
}

impl Seen {
    pub(super) fn add(&mut self, other: &Self) {
        self.enrolled += other.enrolled;
        self.removed += other.removed;
        self.disabled += other.disabled;
        self.refused_approvals += other.refused_approvals;
        self.reissued += other.reissued;
        self.narrowed += other.narrowed;
        self.ended += other.ended;
        self.depth = self.depth.max(other.depth);
    }

    pub(super) fn is_enough(&self) -> bool {
        let counts = [self.enrolled, self.removed, self.disabled, self.refused_approvals];
        let others = [self.reissued, self.narrowed, self.ended];
        counts.into_iter().chain(others).all(|count| count > 0) && self.depth > 3
    }
}
