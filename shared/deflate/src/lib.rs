//! Deflate (RFC 1951) for data that is produced faster than one core can compress it: rows of JSON being
//! exported from a database.
//!
//! [`StreamDeflater`] takes bytes and writes one raw deflate stream (without a zlib or gzip wrapper) to any
//! `Write`, with the CRC-32 and the length that a ZIP entry needs. Any inflate implementation can read it;
//! tests use zlib-rs.
//!
//! # Construction
//!
//! ```text
//! bytes ─▶ pieces of 256 KiB ─▶ a thread a core, four at most, two pieces each ─▶ joined in order ─▶ Write
//!                               piece = blocks of 128 KiB, each with its own Huffman codes
//! ```
//!
//! - A piece is compressed independently of the ones before it and ends at a byte boundary, with an empty stored
//!   block (RFC 1951 §3.2.4), so joined pieces form one stream. This costs 1 % of the size.
//! - Threads start with the second piece of a stream: a short stream is compressed on the calling thread.
//! - The encoder makes one lookup per position, in a table of 8,192 entries, and only for repetitions of eight bytes
//!   or more (`deflater/matches.rs` explains why). Huffman codes are made for each block and limited to 12 bits for
//!   literals and lengths, 15 for distances (RFC 1951 §3.2.7); an incompressible block is stored.
//! - [`Compression::level`] selects zlib-rs instead of our encoder, with the same pieces and threads.
//!
//! The same bytes result in the same stream, however they are split and however many threads there are.
//!
//! # Speed and size
//!
//! For rows of JSON, compared with zlib-rs at level 1 on one core: 1.7 times the speed and three quarters of
//! the size. docs/performance.md has the figures, and the alternatives that were tried.
//!
//! # Limits
//!
//! | | |
//! |---|---|
//! | memory | per thread: 220 KiB of tables and two pieces with their output; one more piece for the caller |
//! | growth of incompressible data | less than 1/8,000, plus 10 bytes per piece |
//! | length of a stream | 2^64 bytes |
//! | window | a match reaches back 32 KiB, but not into the previous piece |
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
