//! What callers may take of a server: connections, time and memory; and that others are served meanwhile. And TLS:
//! certificates that change, and whom they admit.
#![expect(clippy::unwrap_used, reason = "tests")]

mod certificates;
mod connections;
mod identities;
mod plaintext;
mod renewals;
mod requests;
mod server;
mod tls;
