//! Deflate (RFC 1951) for data that is made faster than one core compresses it: rows of JSON on their way out of
//! a database.
//!
//! [`StreamDeflater`] takes bytes and writes one raw deflate stream (neither a zlib nor a gzip wrapper) into any
//! `Write`, with the CRC-32 and the length that a ZIP entry needs. Any inflate reads it; tests ask zlib-rs.
//!
//! # Construction
//!
//! ```text
//! bytes ─▶ pieces of 256 KiB ─▶ a thread a core, four at most, two pieces each ─▶ joined in order ─▶ Write
//!                               piece = blocks of 128 KiB, each with its own Huffman codes
//! ```
//!
//! - A piece is compressed without the ones before it and ends on a byte border, by an empty stored block
//!   (RFC 1951 §3.2.4), so that pieces joined are one stream. That costs 1 % of the size.
//! - Threads start with the second piece of a stream: a short one is compressed where it is.
//! - The encoder looks once for each position, in a table of 8,192 places, and only for repetitions of eight bytes
//!   and more (`deflater/matches.rs` says why). Huffman codes are made for each block and limited to 12 bits for
//!   literals and lengths, 15 for distances (RFC 1951 §3.2.7); a block that does not shrink is stored.
//! - [`Compression::level`] takes zlib-rs instead of our encoder, in the same pieces on the same threads.
//!
//! The same bytes give the same stream, however they are cut and however many threads there are.
//!
//! # Speed and size
//!
//! Rows of JSON against level 1 of zlib-rs, on one core: 1.7 times the speed and three quarters of the bytes.
//! docs/performance.md has the figures, and what else was tried.
//!
//! # Limits
//!
//! | | |
//! |---|---|
//! | memory | a thread: 220 KiB of tables and two pieces with their output; one piece more for the caller |
//! | growth of what does not shrink | less than an eight-thousandth, and 10 bytes a piece |
//! | length of a stream | 2^64 bytes |
//! | window | a match reaches back 32 KiB, and not into the piece before |
//!
//! # Example
//!
//! ```
//! use strongroom_deflate::{Compression, StreamDeflater, Totals};
//!
//! # fn main() -> strongroom_deflate::Result<()> {
//! let mut deflated = Vec::new();
//! let mut deflater = StreamDeflater::create(Compression::default());
//! deflater.write(b"hello ", &mut deflated)?;
//! deflater.write(b"hello", &mut deflated)?;
//! assert_eq!(deflater.end(&mut deflated)?, Totals { bytes: 11, crc32: 0x012d_a640 });
//! # Ok(())
//! # }
//! ```

mod compression;
mod deflater;
mod error;
mod piece;
mod stream;
mod workers;

pub use compression::Compression;
pub use error::{Error, Result};
pub use stream::{StreamDeflater, Totals};
