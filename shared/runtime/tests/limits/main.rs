//! Limits on the connections, time and memory that callers can take from a server while it serves others. And TLS:
//! certificates that change, and the callers they admit.
#![expect(clippy::unwrap_used, reason = "tests")]

mod certificates;
mod connections;
mod identities;
mod plaintext;
mod renewals;
mod requests;
mod server;
mod tls;
