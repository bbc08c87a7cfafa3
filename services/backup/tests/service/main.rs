//! The service over real sockets, with a fake vault that records requests.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bad_input;
mod broken;
mod callers_tokens;
mod export;
mod failure;
mod files;
mod identities;
mod names;
mod odd_files;
mod postgres;
mod restore;
mod sealing;
mod stored;
mod support;
mod tables;
mod verify;
