//! Errors of compressing a stream.

use std::io;

/// Why a stream could not be compressed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Writing the stream failed. The kind is that of the underlying error.
    #[error("the compressed stream could not be written any further: {0}")]
    Sink(#[source] io::Error),
    /// A compression thread could not be started, or ended early.
    #[error("the stream can no longer be compressed: {0}")]
    Worker(#[source] io::Error),
    /// A level that zlib does not have, or 0, which would only store.
    #[error("the compression level must be from 1 to 9")]
    Level,
}

/// This crate's result type.
pub type Result<T> = std::result::Result<T, Error>;
