//! TLS on both sides, with certificates that are reloaded when their files change.
//!
//! [`ServerTls`] belongs to a listener, `ClientTls` to a channel. `files` reads the configured files; `reload`
//! replaces a whole rustls configuration when they have changed, and keeps the old one if the new files cannot be used;
//! [`State`] shows which of the two happened. `connect` makes a client's connections.
//!
//! The server never resumes a session: a client whose certificate has expired, or whose authority was removed, must not
//! come back with an old ticket. Connections live for half an hour, so the extra handshakes are few.

mod client;
pub(crate) mod connect;
mod files;
mod handshakes;
mod https;
mod reload;
mod server;
mod state;

pub(crate) use client::ClientTls;
pub(crate) use handshakes::Reason;
pub use https::HttpsConnector;
pub use server::{ClientCerts, ServerTls, TlsConfig};
pub use state::State;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// HTTP/2, in both handshakes.
pub(crate) const ALPN: &[u8] = b"h2";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
