//! The archive from outside: vectors, round trips, damage, hostile files, limits, other tools.
#![expect(clippy::unwrap_used, reason = "tests")]

mod damage;
mod hostile;
mod limits;
mod raw_zip;
mod round_trip;
mod sample;
mod seal;
mod signatures;
mod sinks;
mod tools;
mod vectors;
