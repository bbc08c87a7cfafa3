//! The bytes of one file: read with a fixed buffer, hashed, and written sparsely.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};

use sha2::{Digest as _, Sha256};

/// Number of bytes read at once; a multiple of a block.
const BUFFER_BYTES: usize = 128 << 10;
/// An aligned run of this many zeros becomes a hole: the size of a page, and of a block in most file systems.
const BLOCK_BYTES: usize = 4096;
const ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];

/// The SHA-256 and the length of the content.
pub(super) fn digest(mut from: impl Read) -> io::Result<(u64, String)> {
    pass(&mut from, u64::MAX, |_| Ok(()))
}

/// Copies at most `most` bytes plus one, which reveals longer content.
pub(super) fn copy(from: &mut dyn Read, to: &mut File, most: u64) -> io::Result<(u64, String)> {
    let (bytes, digest) = pass(from, most, |read| write_sparse(to, read))?;
    // For a hole at the end, the file was only sought.
    to.set_len(bytes)?;
    Ok((bytes, digest))
}

fn pass(
    from: &mut dyn Read,
    most: u64,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<(u64, String)> {
    let mut from = from.take(most.saturating_add(1));
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    loop {
        let read = fill(&mut from, &mut buffer)?;
        if read == 0 {
            return Ok((bytes, hex::encode(hash.finalize())));
        }
        hash.update(&buffer[..read]);
        take(&buffer[..read])?;
        bytes += read as u64;
    }
}

/// A short read in the middle would shift later blocks to positions where no hole is possible.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Runs of similar blocks are written, or skipped, at once.
fn write_sparse(to: &mut File, bytes: &[u8]) -> io::Result<()> {
    let block = |at: usize| &bytes[at..bytes.len().min(at + BLOCK_BYTES)];
    let mut begin = 0;
    while begin < bytes.len() {
        let is_zeros = is_hole(block(begin));
        let mut end = begin;
        while end < bytes.len() && is_hole(block(end)) == is_zeros {
            end += block(end).len();
        }
        if is_zeros {
            to.seek(SeekFrom::Current((end - begin) as i64))?;
        } else {
            to.write_all(&bytes[begin..end])?;
        }
        begin = end;
    }
    Ok(())
}

fn is_hole(block: &[u8]) -> bool {
    block == &ZEROS[..block.len()]
}
