//! The database's own time for one durable commit of one row.

use std::time::Instant;

use strongroom_store::{Engine, postgres, sqlite};

use super::server::BenchVault;
use super::{Plan, median};

const CREATE: &str = "CREATE TABLE bench_commits (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)";
const INSERT: &str = "INSERT INTO bench_commits VALUES (1, 0)";
const UPDATE: &str = "UPDATE bench_commits SET n = n + 1 WHERE id = 1";
const COMMITS: usize = 300;

/// Milliseconds, for each vault.
pub(super) async fn measure(vaults: &[BenchVault], plan: Plan) -> Vec<f64> {
    let mut commits = Vec::new();
    for vault in vaults {
        vault.database.run(&format!("{CREATE}; {INSERT}"));
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds {
            rounds.push(median(commit_times(vault).await));
        }
        let time = median(rounds);
        println!("one single-row commit on {:<12} {time:>8.3} ms", vault.name);
        commits.push(time);
    }
    println!();
    commits
}

async fn commit_times(vault: &BenchVault) -> Vec<f64> {
    let mut times = Vec::new();
    match vault.database.url().engine() {
        Engine::Sqlite(path) => {
            let pools = sqlite::open(path).await.unwrap();
            for _ in 0..COMMITS {
                let began = Instant::now();
                sqlx::query(UPDATE).execute(pools.writer()).await.unwrap();
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
        Engine::Postgres(options) => {
            let pools = postgres::open(options).await.unwrap();
            for _ in 0..COMMITS {
                let began = Instant::now();
                sqlx::query(UPDATE).execute(pools.writer()).await.unwrap();
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    times
}
