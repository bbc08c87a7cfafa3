//! Measures the design's budgets: `tests/bench` builds this in release and runs it.
//!
//! Ratios are taken within one run, because a machine's seconds mean little elsewhere. All code here panics on failure.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints, and a failed one is void"
)]

mod export;
mod processors;
mod reencrypt;
mod restore;
mod store;
mod telemetry;
mod vault;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    subject: Subject,
}

/// Subject of the measurement.
#[derive(Subcommand)]
enum Subject {
    /// Calls, batches, commits, pages and re-encryption of the vault, on SQLite and on PostgreSQL.
    Vault {
        /// Shorter cells and 100,000 credentials instead of a million: for a check that it works.
        #[arg(long)]
        short: bool,
        /// Only this call, by 64 callers for ten seconds, on PostgreSQL if available: for profiling.
        #[arg(long, value_parser = ["Encrypt", "Decrypt", "Reveal"])]
        only: Option<String>,
    },
    /// An export of a big PostgreSQL table compared with `pg_dump` and others, and its stages alone.
    Export(export::Plan),
    /// Stored backups compared with exports of the same data and with restic.
    Store(store::Plan),
    /// Restores into empty tables compared with `pg_restore` and `\copy`, and a replace under load.
    Restore(restore::Plan),
    /// Re-encryption of an application's columns under a new version of their key, alone and beside a writer.
    Reencrypt(reencrypt::Plan),
    /// The S3 server for `store`.
    #[command(hide = true)]
    S3,
    /// Reveals and exports with a tenth of the calls traced, compared with the same without traces.
    Telemetry(telemetry::Plan),
}

#[tokio::main]
async fn main() {
    match Options::parse().subject {
        Subject::Vault { only: Some(call), .. } => vault::run_one(&call).await,
        Subject::Vault { short, only: None } => vault::run(short).await,
        Subject::Export(plan) => export::run(plan).await,
        Subject::Store(plan) => store::run(plan).await,
        Subject::Restore(plan) => restore::run(plan).await,
        Subject::Reencrypt(plan) => reencrypt::run(plan).await,
        Subject::S3 => store::serve_s3().await,
        Subject::Telemetry(plan) => telemetry::run(plan).await,
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The median of a few measurements.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
