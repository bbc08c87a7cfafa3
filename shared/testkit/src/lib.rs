//! What tests of several crates borrow: fresh databases, a clock that is set, private files, the forms a secret may hide
//! in.
//!
//! A dev-dependency only. Everything here panics on failure: a test that cannot be set up has failed.
#![expect(clippy::unwrap_used, reason = "only tests use it, and a panic is how a test fails")]

mod clock;
mod database;
mod private;
pub mod secrets;

pub use clock::ManualClock;
pub use database::TestDb;
pub use private::write_private;
