//! Errors that keep a process from starting or continuing. Each message is the last line an operator sees.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that keeps a process from running.
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
        /// The system's error.
        source: std::io::Error,
    },
    /// A key or token file that others can read or change.
    #[error(
        "{} has mode {mode:04o}, so that others can read or change it; run `chmod 600 {}` (in Kubernetes: mount the \
         Secret with defaultMode 0400 and an fsGroup)",
        path.display(),
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A service would accept tokens and secrets unencrypted from other machines.
    #[error(
        "{0} can be reached by other machines and there are no certificates, so tokens and secrets would travel \
         unencrypted; set tls.cert_file and tls.key_file, listen on 127.0.0.1, or set plaintext = true where something \
         else encrypts"
    )]
    PlaintextListener(SocketAddr),
    /// A client would send tokens and secrets unencrypted to another machine.
    #[error(
        "{0} is not this machine, and http:// would send tokens and secrets to it unencrypted; use https://, or allow it \
         where something else encrypts: STRONGROOM_PLAINTEXT=true for the command line, plaintext = true beside the \
         address in a configuration file"
    )]
    PlaintextTarget(String),
    /// The port is taken, or this process may not bind it.
    #[error("cannot listen on {address}: {source}; is another process using the port?")]
    Listen {
        /// The address to bind.
        address: SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
    /// The same as [`Error::Listen`], for the admin port.
    #[error(
        "cannot listen on {address} for metrics and probes: {source}; if another process uses the port, set \
         [admin] listen to another address, or to \"\" for none"
    )]
    ListenAdmin {
        /// The address to bind.
        address: SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
    /// Inconsistent TLS settings, or an invalid address.
    #[error("{0}")]
    Transport(String),
    /// The server ended on its own.
    #[error("the server stopped: {0}")]
    Serve(#[from] tonic::transport::Error),
}
