//! Databases are read, recreated, changed and restored, using only the crate's public interface.
//!
//! The PostgreSQL half needs `TEST_DATABASE_URL`: a superuser's URL on a server where databases and roles may be created; and
//! `pg_dump` in the server's version. All tests are in one program, because each further one would link both engines again.
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
