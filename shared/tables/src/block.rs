//! Gathering rows into blocks, so that later stages hash, compress and send few large pieces.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::error::{Error, Result};

/// Block size at which a block is handed on: 128 KiB. A row is never split.
pub const BLOCK_SIZE: usize = 128 * 1024;

/// Separator between rows, both inside a block and between blocks.
const SEPARATOR: &[u8] = b",\n";

/// Several rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// JSON objects joined by a comma and a line feed; no separator at either end.
    pub bytes: Bytes,
    /// Number of rows; never zero.
    pub rows: u64,
}

/// Collects rows and puts full blocks aside until they are taken.
#[derive(Default)]
pub(crate) struct BlockBuilder {
    current: Vec<u8>,
    /// Offset of the row that is being appended, including its separator.
    row: usize,
    rows: u64,
    full: Vec<Block>,
}

impl BlockBuilder {
    /// Starts a row and returns the buffer to append it to.
    pub(crate) fn begin_row(&mut self) -> &mut Vec<u8> {
        self.row = self.current.len();
        if self.rows == 0 {
            self.current.reserve(BLOCK_SIZE + BLOCK_SIZE / 8);
        } else {
            self.current.extend_from_slice(SEPARATOR);
        }
        &mut self.current
    }

    /// Discards the row started by [`Self::begin_row`].
    pub(crate) fn drop_row(&mut self) {
        self.current.truncate(self.row);
    }

    /// Counts the row started by [`Self::begin_row`].
    pub(crate) fn end_row(&mut self) {
        self.rows += 1;
        if self.current.len() >= BLOCK_SIZE {
            self.seal();
        }
    }

    /// Also hands on the last, partial block.
    pub(crate) fn finish(&mut self) {
        if self.rows > 0 {
            self.seal();
        }
    }

    /// Takes the full blocks, oldest first.
    pub(crate) fn full(&mut self) -> std::vec::Drain<'_, Block> {
        self.full.drain(..)
    }

    fn seal(&mut self) {
        let bytes = Bytes::from(std::mem::take(&mut self.current));
        self.full.push(Block { bytes, rows: std::mem::take(&mut self.rows) });
    }
}

/// Sends the full blocks and returns how many rows they hold.
///
/// # Errors
/// [`Error::Cancelled`] when the receiver is gone.
pub(crate) async fn send_full(rows: &mut BlockBuilder, blocks: &mpsc::Sender<Block>) -> Result<u64> {
    let mut sent = 0;
    for block in rows.full() {
        sent += block.rows;
        blocks.send(block).await.map_err(|_| Error::Cancelled)?;
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_joined_and_never_split() {
        let mut builder = BlockBuilder::default();
        let giant = vec![b'x'; 3 * BLOCK_SIZE];
        for row in [b"{}".as_slice(), b"{\"a\":1}", &giant, b"{\"b\":2}"] {
            builder.begin_row().extend_from_slice(row);
            builder.end_row();
            builder.begin_row().extend_from_slice(b"unwanted");
            builder.drop_row();
        }
        builder.finish();
        let blocks: Vec<Block> = builder.full().collect();
        assert_eq!(blocks.iter().map(|block| block.rows).collect::<Vec<_>>(), [3, 1]);
        assert!(blocks[0].bytes.starts_with(b"{},\n{\"a\":1},\nxxx"));
        assert_eq!(&blocks[1].bytes[..], b"{\"b\":2}");
    }
}
