//! The vault compared with a bare echo and another vault, on both databases. Servers and clients, including the echo's,
//! share this process and its cores; the other vault is a separate process on the same cores.

mod batch;
mod calls;
mod commit;
mod echo;
mod fill;
mod load;
mod pages;
mod peer;
mod reencryption;
mod server;

use std::time::Duration;

use strongroom_testkit::TestDb;

use crate::{cores, median};
use server::BenchVault;

/// Duration and number of measurements.
#[derive(Clone, Copy)]
struct Plan {
    cell: Duration,
    rounds: usize,
    credentials: u32,
}

/// Prints all tables.
pub(crate) async fn run(short: bool) {
    let plan = if short {
        Plan { cell: Duration::from_millis(300), rounds: 3, credentials: 100_000 }
    } else {
        Plan { cell: Duration::from_secs(2), rounds: 5, credentials: 1_000_000 }
    };
    let mut vaults = vec![BenchVault::on("SQLite", TestDb::sqlite()).await];
    if let Some(database) = TestDb::postgres() {
        vaults.push(BenchVault::on("PostgreSQL", database).await);
    }
    println!("{} cores, medians of {} rounds of {:?}\n", cores(), plan.rounds, plan.cell);
    let commits = commit::measure(&vaults, plan).await;
    calls::measure(&vaults, &commits, plan).await;
    batch::measure(&vaults, plan).await;
    for vault in &vaults {
        fill::credentials(vault, plan.credentials).await;
    }
    pages::measure(&vaults, plan).await;
    reencryption::measure(&vaults, plan).await;
}

/// One call alone, on PostgreSQL if available.
pub(crate) async fn run_one(call: &str) {
    let vault = match TestDb::postgres() {
        Some(database) => BenchVault::on("PostgreSQL", database).await,
        None => BenchVault::on("SQLite", TestDb::sqlite()).await,
    };
    calls::measure_one(&vault, call, Duration::from_secs(10)).await;
}
