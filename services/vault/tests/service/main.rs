//! The vault from outside: its gRPC interface over a real socket, on both databases.
#![expect(clippy::unwrap_used, reason = "tests")]

mod access;
mod audit;
mod authority;
mod bad_input;
mod credentials;
mod crypto;
mod delegation;
mod identities;
mod keys;
mod methods;
mod people;
mod restoring;
mod seals;
mod selection;
mod source;
mod support;
mod tampering;
mod tokens;
