//! Support for tests of several crates: fresh databases, archives, certificates, an S3 service with
//! programmable faults, full disks, a manual clock, private files, request builders, and the encodings of a
//! secret to search for.
//!
//! Only for dev-dependencies. Everything here panics on failure: a test that cannot be set up has failed.
#![expect(clippy::unwrap_used, reason = "only tests use it, and a panic is how a test fails")]

pub mod archives;
mod authority;
mod clock;
mod codes;
mod database;
mod namespace;
mod private;
pub mod requests;
mod ring;
pub mod s3;
pub mod secrets;
mod twins;

pub use authority::{Authority, Certificate, Mounted};
pub use clock::ManualClock;
pub use codes::{Planted, Stated, set_key_state};
pub use database::TestDb;
pub use namespace::in_mount_namespace;
pub use private::write_private;
pub use ring::open_ring;
pub use s3::S3;
pub use twins::assert_twins;
