//! The building blocks of the end-to-end tests: the built programs, services as child processes, an operator's calls,
//! third-party tools, archives, and databases to back up.
//!
//! Nothing here knows the internals of a service: only command lines, sockets, files and signals. Every wait has a
//! limit, after which the test fails and shows the process's output.
#![expect(clippy::unwrap_used, reason = "only tests use it, and a panic is how a test fails")]

mod archive;
pub mod browser;
mod call;
pub mod chart;
mod deployment;
mod gateway;
pub mod http;
pub mod image;
pub mod network;
mod operator;
mod postgres;
mod program;
mod service;
mod terminal;
pub mod tool;
mod wait;

pub use archive::Archive;
pub use call::{Finished, Unread, finish, start_unread};
pub use deployment::{Deployment, Dev, vault_config};
pub use gateway::{SEED_TABLES, bulk_table, random_table, sample_gateway, source};
pub use operator::{Operator, int64};
pub use postgres::Postgres;
pub use program::{program, repository};
pub use service::Service;
pub use terminal::at_a_terminal;
pub use wait::{FELT_EVERYWHERE, PATIENCE, eventually, free_port};

/// Whether the long forms of tests were requested (`tests/run --long`).
#[must_use]
pub fn long() -> bool {
    std::env::var_os("STRONGROOM_LONG").is_some()
}
