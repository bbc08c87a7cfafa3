//! The archive from outside: vectors, round trips, damage, limits, other tools.
#![expect(clippy::unwrap_used, reason = "tests")]

mod archives;
mod damage;
mod figures;
mod flipped;
#[path = "../../../age/tests/kept/mod.rs"]
mod kept;
mod limits;
mod pieces;
mod round_trip;
mod sample;
mod seal;
mod signatures;
mod signed;
mod sinks;
mod tools;
mod vectors;
