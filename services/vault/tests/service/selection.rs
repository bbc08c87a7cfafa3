//! Narrowed tokens against a model: each of their answers must equal that of a vault that contains only the selection,
//! and must name nothing else.

mod changes;
mod model;
mod outside;
mod reads;
mod world;

use strongroom_fuzz::Random;
use strongroom_runtime::status::reason_of;
use tonic::Status;

use crate::support::TestVault;
use world::Running;

/// Worlds are random, but the same in each run.
const SEEDS: [u64; 2] = [1, 2];
const TOKENS: usize = 8;
const CHANGES: usize = 40;

#[tokio::test]
async fn a_narrowed_token_lives_in_a_vault_of_its_selection_alone() {
    for seed in SEEDS {
        for vault in TestVault::each_standing().await {
            let mut random = Random::new(seed);
            let mut running = Running::start(&vault, &mut random, TOKENS).await;
            for token in 0..TOKENS {
                reads::compare(&mut running, token).await;
            }
            for _ in 0..CHANGES {
                changes::make_one(&mut running, &mut random).await;
            }
            running.compare_whole().await;
            for token in 0..TOKENS {
                reads::compare(&mut running, token).await;
            }
        }
    }
}

/// The answer, or the stable reason of its refusal.
fn outcome<T>(answer: Result<T, Status>) -> Result<T, String> {
    answer.map_err(|status| reason_of(&status))
}
