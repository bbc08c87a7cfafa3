//! What callers may take of a server: connections, time and memory; and that others are served meanwhile.
#![expect(clippy::unwrap_used, reason = "tests")]

mod connections;
mod plaintext;
mod requests;
mod server;
mod tls;
