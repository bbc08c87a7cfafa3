//! The encoder: deflate by chunks, because compression is what the maker of the data waits for.
//!
//! Every chunk is compressed by itself, so that several threads can work on one stream, and yet the results,
//! joined in order, are one stream. Made for rows of JSON: in the time that level 1 of zlib-rs takes for
//! ten it writes seventeen, and in three quarters of the bytes. Those who want small rather than fast take
//! zlib.

mod bits;
mod block;
mod codes;
mod header;
mod matches;
mod symbols;
#[cfg(test)]
mod tests;

use self::bits::Stream;
use self::block::Block;
use self::matches::Matcher;

/// Bytes that share one set of Huffman codes. A header takes some 90 bytes; half as many bytes or twice as
/// many change neither size nor speed by more than a fiftieth.
const BLOCK: usize = 128 * 1024;

/// Compresses chunks. It keeps its tables, at most 220 KiB, and nothing of what it has compressed: the same
/// chunk becomes the same bytes, whatever came before.
#[derive(Default)]
pub(crate) struct Deflater {
    matcher: Matcher,
    block: Block,
}

impl Deflater {
    /// Appends to `out` what a chunk of any size becomes, in whole bytes.
    ///
    /// What does not shrink gets longer by less than an eight-thousandth and 10 bytes. Exactly one chunk, the
    /// one that ends the stream, is the `last`. Matches do not reach into the chunk before: if they did, chunks
    /// of 256 KiB would get smaller by a hundredth and take a thirtieth more time.
    pub(crate) fn compress(&mut self, chunk: &[u8], last: bool, out: &mut Vec<u8>) {
        let mut stream = Stream::new(out);
        self.matcher.restart();
        for from in (0..chunk.len()).step_by(BLOCK) {
            let end = chunk.len().min(from + BLOCK);
            self.block.restart(from);
            self.matcher.parse(chunk, from, end, &mut self.block);
            self.block.write(&chunk[from..end], &mut stream);
        }
        // Empty and stored: what fills the last byte, and what says whether more follows.
        stream.put_stored(&[], last);
    }
}
