//! Databases read, made again, changed and put back, through the crate's public interface only.
//!
//! The PostgreSQL half needs `TEST_DATABASE_URL`: a superuser's URL on a server where databases and roles may be made; and
//! `pg_dump` of its version. One program, because each further one would link both engines again.
#![expect(clippy::unwrap_used, clippy::print_stderr, unreachable_pub, reason = "tests")]

mod database;
mod fidelity;
mod field;
mod loader;
mod reencrypt;
mod restoring;
mod restoring_sqlite;
mod schemas;
mod snapshot;
