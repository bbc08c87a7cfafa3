//! Why a process cannot start or go on. Each message is the last line an operator sees.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What keeps a process from running.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file or an override cannot be used.
    #[error("configuration: {0}")]
    Config(String),
    /// A file that the configuration names cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The port is taken, or not ours to take.
    #[error("cannot listen on {address}: {source}; is another process using the port?")]
    Listen {
        /// What was to be bound.
        address: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
    /// TLS settings that do not fit together, or an address that is none.
    #[error("{0}")]
    Transport(String),
    /// The server ended by itself.
    #[error("the server stopped: {0}")]
    Serve(#[from] tonic::transport::Error),
}
