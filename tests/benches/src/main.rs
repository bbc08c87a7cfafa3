//! Measures the budgets of the design: `tests/bench` builds this in release and runs it.
//!
//! Ratios are taken within one run, because a machine's seconds mean little elsewhere. Servers and clients
//! share this process and its cores, the echo's too. Everything here panics on failure.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints, and a failed one is void"
)]

mod vault;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    subject: Subject,
}

/// What is measured.
#[derive(Subcommand)]
enum Subject {
    /// Calls, batches, commits, pages and re-encryption of the vault, on SQLite and on PostgreSQL.
    Vault {
        /// Shorter cells and 100,000 credentials instead of a million: to see that it runs.
        #[arg(long)]
        short: bool,
        /// Only this call, by 64 callers for ten seconds, on PostgreSQL where there is one: to be profiled.
        #[arg(long, value_parser = ["Encrypt", "Decrypt", "Reveal"])]
        only: Option<String>,
    },
}

#[tokio::main]
async fn main() {
    match Options::parse().subject {
        Subject::Vault { only: Some(call), .. } => vault::run_one(&call).await,
        Subject::Vault { short, only: None } => vault::run(short).await,
    }
}
