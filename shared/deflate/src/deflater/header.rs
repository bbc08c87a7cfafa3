//! The header before a block's Huffman-coded data: the code lengths, themselves Huffman-coded (RFC 1951
//! §3.2.7), from which a reader rebuilds the block's codes.

use super::bits::Bits;
use super::codes::{self, Code};
use super::symbols::{DISTANCES, END, LITLENS};

/// Symbols for code lengths: 0 to 15 are lengths, three are repetitions.
const LENGTHS: usize = 19;
/// Repeats the previous length 3 to 6 times.
const AGAIN: u8 = 16;
/// Repeats zero 3 to 10 times.
const FEW_ZEROS: u8 = 17;
/// Repeats zero 11 to 138 times.
const MANY_ZEROS: u8 = 18;

/// The order in which the lengths of the code length codes are written: rarely used ones last.
const ORDER: [usize; LENGTHS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// A header symbol with its extra value.
#[derive(Clone, Copy)]
struct Item {
    symbol: u8,
    extra: u8,
}

/// A block's header.
pub(super) struct Header {
    litlens: usize,
    distances: usize,
    items: Vec<Item>,
    /// Code lengths of the codes for the items.
    lengths: [u8; LENGTHS],
    /// Number of these lengths written, in their order.
    written: usize,
}

impl Header {
    /// The header for codes of these lengths.
    pub(super) fn new(litlens: &[u8; LITLENS], distances: &[u8; DISTANCES]) -> Self {
        let litlens = &litlens[..used(litlens).max(END + 1)];
        let distances = &distances[..used(distances)];
        let items = pack(litlens.iter().chain(distances).copied());
        let mut counts = [0; LENGTHS];
        for item in &items {
            counts[item.symbol as usize] += 1;
        }
        let lengths = codes::lengths(&counts, 7);
        let written = used(&ORDER.map(|symbol| lengths[symbol])).max(4);
        Self { litlens: litlens.len(), distances: distances.len(), items, lengths, written }
    }

    /// Its size in bits.
    pub(super) fn size(&self) -> usize {
        let item = |item: &Item| u32::from(self.lengths[item.symbol as usize]) + extra_bits(item.symbol);
        3 + 5 + 5 + 4 + 3 * self.written + self.items.iter().map(item).sum::<u32>() as usize
    }

    /// Begins a block that is not the last.
    pub(super) fn write(&self, bits: &mut Bits<'_>) {
        bits.put(0b100, 3);
        bits.put(self.litlens as u64 - 257, 5);
        bits.put(self.distances as u64 - 1, 5);
        bits.put(self.written as u64 - 4, 4);
        for symbol in &ORDER[..self.written] {
            bits.put(self.lengths[*symbol].into(), 3);
        }
        let codes = codes::codes(&self.lengths);
        for item in &self.items {
            let Code { bits: code, count } = codes[item.symbol as usize];
            bits.put(code.into(), count);
            bits.put(item.extra.into(), extra_bits(item.symbol));
        }
    }
}

/// Number of lengths up to the last one that is not zero.
fn used(lengths: &[u8]) -> usize {
    lengths.iter().rposition(|&length| length > 0).map_or(0, |last| last + 1)
}

fn extra_bits(symbol: u8) -> u32 {
    match symbol {
        AGAIN => 2,
        FEW_ZEROS => 3,
        MANY_ZEROS => 7,
        _ => 0,
    }
}

/// Combines runs of equal lengths.
fn pack(lengths: impl Iterator<Item = u8>) -> Vec<Item> {
    let mut items = Vec::with_capacity(LITLENS + DISTANCES);
    let mut lengths = lengths.peekable();
    while let Some(length) = lengths.next() {
        let mut run = 1;
        while lengths.next_if_eq(&length).is_some() {
            run += 1;
        }
        push_run(length, run, &mut items);
    }
    items
}

fn push_run(length: u8, run: usize, items: &mut Vec<Item>) {
    let mut left = run;
    if length > 0 {
        items.push(Item { symbol: length, extra: 0 });
        left -= 1;
    }
    while left > 0 {
        let (symbol, least, most) = match (length, left) {
            (_, ..3) => (length, 1, 1),
            (0, ..11) => (FEW_ZEROS, 3, 10),
            (0, _) => (MANY_ZEROS, 11, 138),
            _ => (AGAIN, 3, 6),
        };
        let taken = left.min(most);
        items.push(Item { symbol, extra: (taken - least) as u8 });
        left -= taken;
    }
}
