//! Nothing but the built programs, real sockets, real databases and other people's tools. One module a subject.
#![expect(clippy::unwrap_used, reason = "tests")]

mod archive_tools;
mod big;
mod delegation;
mod demo;
mod failures;
mod first_start;
mod grpcurl;
mod health;
mod import;
mod kills;
mod leaks;
mod limits;
mod main_job;
mod many_exports;
mod metrics;
mod mtls;
mod operating;
mod overload;
mod page;
mod painted;
mod recordings;
mod repository;
mod rolling_upgrade;
mod sealed;
mod secret_files;
mod shutdown;
mod slow_clients;
mod snapshot_under_writers;
mod tls;
mod traces;
mod two_vaults;
mod unhurried;
mod usage;
mod vault_kills;
mod verify;
