//! Authority against a model: random trees of tokens, people, selections and requests. After each step, the vault and
//! the model must agree on which tokens are valid, what each can do and see, which person it belongs to, and who
//! approves what.

mod checks;
mod game;
mod model;
mod people;
mod tokens;

use crate::support::TestVault;
use game::{Game, Seen};

const SEEDS: [u64; 2] = [1, 2];
const STEPS: usize = 100;

#[tokio::test]
async fn a_token_is_valid_while_all_above_it_are() {
    let mut seen = Seen::default();
    for seed in SEEDS {
        for vault in TestVault::each_standing().await {
            let mut game = Game::start(vault, seed).await;
            for step in 0..STEPS {
                game.step().await;
                game.check(step).await;
            }
            game.check_approvals().await;
            seen.add(&game.seen);
        }
    }
    assert!(seen.is_enough(), "{seen:?}");
}
