//! Random trees of tokens against a model: what is issued, renewed, reissued, revoked and expires, and which tokens are valid
//! after each step.

use std::time::Duration;

use strongroom_api::vault::v1::{ReissueTokenRequest, RenewTokenRequest};
use strongroom_runtime::status::reason_of;

use super::{after, id_of, is_active, revoke, until};
use crate::support::{Clients, TestVault};

const STEPS: usize = 50;
const MAX_LINKS: usize = 8;

/// A token as the model knows it: what it was told, and nothing of chains in a database.
struct Node {
    id: String,
    secret: String,
    parent: usize,
    /// Seconds on the test's clock.
    expiry: Option<u64>,
    revoked: bool,
}

/// The first node is the first admin, its own parent.
struct Model {
    nodes: Vec<Node>,
    seconds: u64,
}

impl Model {
    /// What has ended: who has ended itself, then whoever has a parent that has, until there are no more.
    fn ended(&self) -> Vec<bool> {
        let over = |node: &Node| node.revoked || node.expiry.is_some_and(|expiry| expiry <= self.seconds);
        let mut ended: Vec<bool> = self.nodes.iter().map(over).collect();
        let mut found = true;
        while found {
            found = false;
            for (at, node) in self.nodes.iter().enumerate() {
                if !ended[at] && (ended[node.parent] || self.depth(at) > MAX_LINKS) {
                    ended[at] = true;
                    found = true;
                }
            }
        }
        ended
    }

    fn depth(&self, mut at: usize) -> usize {
        let mut depth = 0;
        while at != 0 {
            at = self.nodes[at].parent;
            depth += 1;
        }
        depth
    }

    fn is_above(&self, above: usize, mut at: usize) -> bool {
        while at != above && at != 0 {
            at = self.nodes[at].parent;
        }
        at == above
    }
}

/// SplitMix64: the same steps in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }

    /// A valid token, more often a late one, so that chains grow.
    fn valid(&mut self, ended: &[bool]) -> usize {
        let valid: Vec<usize> = (0..ended.len()).filter(|at| !ended[*at]).collect();
        if self.below(2) == 0 { *valid.last().unwrap() } else { valid[self.below(valid.len())] }
    }
}

struct Game {
    vault: TestVault,
    admin: Clients,
    model: Model,
    chance: Chance,
}

impl Game {
    async fn start(vault: TestVault, seed: u64) -> Self {
        let (admin, secret) = (vault.admin().await, vault.admin_token().await.trim().to_owned());
        let id = secret[4..16].to_owned();
        let first = Node { id, secret, parent: 0, expiry: None, revoked: false };
        let model = Model { nodes: vec![first], seconds: 0 };
        Self { vault, admin, model, chance: Chance(seed) }
    }

    async fn step(&mut self) {
        let ended = self.model.ended();
        let caller = self.chance.valid(&ended);
        let other = self.chance.below(ended.len());
        match self.chance.below(12) {
            0 if other != 0 => {
                revoke(&mut self.admin, &self.model.nodes[other].id).await.unwrap();
                self.model.nodes[other].revoked = true;
            }
            1 => {
                let seconds = 1 + self.chance.below(60) as u64;
                self.vault.clock.advance(Duration::from_secs(seconds));
                self.model.seconds += seconds;
            }
            2 if caller != 0 => self.renew(caller).await,
            3 | 4 if other != 0 => self.reissue(caller, other).await,
            _ => self.issue(caller).await,
        }
    }

    async fn issue(&mut self, parent: usize) {
        let wanted = (self.chance.below(3) == 0).then(|| 1 + self.chance.below(300) as u64);
        let request = until(wanted.map(|seconds| after(&self.vault.clock, seconds.cast_signed())));
        let answer = self.vault.clients(&self.model.nodes[parent].secret).issue(request).await;
        let limit = self.model.nodes[parent].expiry;
        let expiry = wanted.map(|seconds| self.model.seconds + seconds);
        if self.model.depth(parent) >= MAX_LINKS {
            assert_eq!(reason_of(&answer.unwrap_err()), "TOO_MANY_ISSUERS");
        } else if matches!((expiry, limit), (Some(expiry), Some(limit)) if expiry > limit) {
            assert!(answer.unwrap_err().message().starts_with("expire_time: "));
        } else {
            let (issued, revoked) = (answer.unwrap(), false);
            let node =
                Node { id: id_of(&issued), secret: issued.secret, parent, expiry: expiry.or(limit), revoked };
            self.model.nodes.push(node);
        }
    }

    async fn renew(&mut self, holder: usize) {
        let mut clients = self.vault.clients(&self.model.nodes[holder].secret);
        let renewed = clients.tokens.renew_token(RenewTokenRequest {}).await.unwrap().into_inner();
        self.model.nodes[holder].secret = renewed.secret;
    }

    async fn reissue(&mut self, parent: usize, at: usize) {
        let mut clients = self.vault.clients(&self.model.nodes[parent].secret);
        let request = ReissueTokenRequest { id: self.model.nodes[at].id.clone() };
        let answer = clients.tokens.reissue_token(request).await;
        let (node, limit) = (&self.model.nodes[at], self.model.nodes[parent].expiry);
        let over = node.revoked || node.expiry.is_some_and(|expiry| expiry <= self.model.seconds);
        if over {
            assert_eq!(reason_of(&answer.unwrap_err()), "TOKEN_OVER");
        } else if self.model.depth(parent) >= MAX_LINKS {
            assert_eq!(reason_of(&answer.unwrap_err()), "TOO_MANY_ISSUERS");
        } else if self.model.is_above(at, parent) {
            assert_eq!(reason_of(&answer.unwrap_err()), "TOKEN_IS_ISSUER");
        } else {
            let expiry = [node.expiry, limit].into_iter().flatten().min();
            let secret = answer.unwrap().into_inner().secret;
            let node = &mut self.model.nodes[at];
            (node.secret, node.parent, node.expiry) = (secret, parent, expiry);
        }
    }

    async fn check(&mut self, step: usize) {
        for (at, ended) in self.model.ended().into_iter().enumerate() {
            let active = is_active(&mut self.admin, &self.model.nodes[at].secret).await;
            assert_eq!(active, !ended, "step {step}: token {at} of parent {}", self.model.nodes[at].parent);
        }
    }
}

#[tokio::test]
async fn a_token_is_valid_while_all_above_it_are() {
    for seed in 1..=2 {
        for vault in TestVault::each_standing().await {
            let mut game = Game::start(vault, seed).await;
            for step in 0..STEPS {
                game.step().await;
                game.check(step).await;
            }
            let depth = (0..game.model.nodes.len()).map(|at| game.model.depth(at)).max().unwrap();
            assert!(depth >= 3 && game.model.ended().contains(&true), "seed {seed}: a tree of depth {depth}");
        }
    }
}
