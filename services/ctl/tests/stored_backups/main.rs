//! Commands for stored backups and restores, run as programs against a service with prepared answers.
#![expect(clippy::unwrap_used, reason = "tests")]

mod create;
mod deletion;
mod download;
mod fake;
mod operator;
mod reports;
mod restores;
