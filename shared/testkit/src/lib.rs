//! What tests of several crates borrow: fresh databases, a clock that is set, the forms a secret may hide in.
//!
//! A dev-dependency only. Everything here panics on failure: a test that cannot be set up has failed.
#![expect(clippy::unwrap_used, reason = "only tests use it, and a panic is how a test fails")]

mod clock;
mod database;
pub mod secrets;

pub use clock::ManualClock;
pub use database::TestDb;
