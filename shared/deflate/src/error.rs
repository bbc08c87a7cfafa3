//! What can go wrong while a stream is compressed.

use std::io;

/// Why a stream could not be compressed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The receiver of the stream failed. The kind is the receiver's.
    #[error("the compressed stream could not be written any further: {0}")]
    Sink(#[source] io::Error),
    /// A thread that compresses could not be started, or ended early.
    #[error("the stream can no longer be compressed: {0}")]
    Worker(#[source] io::Error),
    /// A level that zlib does not have. Zero would store.
    #[error("the compression level must be from 1 to 9")]
    Level,
}

/// The result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
