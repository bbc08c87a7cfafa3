//! One block: the results of the search are counted, then written with Huffman codes made for this block.
//! Codes made for the data compensate for the short matches that are not searched for.

use super::bits::{Bits, Stream};
use super::codes::{self, Code};
use super::header::Header;
use super::symbols::{self, DISTANCE_BASE, DISTANCE_EXTRA, DISTANCES, END};
use super::symbols::{LENGTH_BASE, LENGTH_EXTRA, LENGTH_SYMBOL, LITLENS};

/// Bits of the longest code for a literal or length. Four literals and 7 pending bits fit into the 56 bits
/// that one `put` takes.
const LITLEN_LIMIT: usize = 12;
/// The maximum that deflate allows: with the 17 bits of a length and 13 extra bits, still one `put`.
const DISTANCE_LIMIT: usize = 15;

/// Literals, and the match after them.
#[derive(Clone, Copy)]
struct Sequence {
    literals: u32,
    /// The distance minus 1.
    distance: u16,
    distance_symbol: u8,
    /// The length minus 3.
    length: u8,
}

/// The content of one block.
pub(super) struct Block {
    sequences: Vec<Sequence>,
    /// Position of the first literal that belongs to no sequence yet.
    pending: usize,
    literals: [u32; 256],
    lengths: [u32; 256],
    distances: [u32; DISTANCES],
}

impl Default for Block {
    fn default() -> Self {
        let (literals, lengths, distances) = ([0; 256], [0; 256], [0; DISTANCES]);
        Self { sequences: Vec::new(), pending: 0, literals, lengths, distances }
    }
}

impl Block {
    /// Begins a new block at a position.
    pub(super) fn restart(&mut self, at: usize) {
        self.sequences.clear();
        self.pending = at;
        self.literals.fill(0);
        self.lengths.fill(0);
        self.distances.fill(0);
    }

    /// Counts literals. They are not stored: every byte not covered by a match is a literal.
    #[inline(always)]
    pub(super) fn count(&mut self, literals: &[u8]) {
        for &literal in literals {
            self.literals[literal as usize] += 1;
        }
    }

    /// Adds a match at a position; its length is 3 to 258, its distance 1 to 32,768.
    #[inline(always)]
    pub(super) fn push(&mut self, at: usize, length: usize, distance: u16) {
        let literals = (at - self.pending) as u32;
        self.pending = at + length;
        let (length, distance) = ((length - 3) as u8, distance - 1);
        let distance_symbol = symbols::distance_symbol(distance);
        self.lengths[length as usize] += 1;
        self.distances[distance_symbol as usize % DISTANCES] += 1;
        self.sequences.push(Sequence { literals, distance, distance_symbol, length });
    }

    /// Appends the block for `bytes`.
    pub(super) fn write(&self, bytes: &[u8], stream: &mut Stream<'_>) {
        let litlens = self.count_litlens();
        let lengths = codes::lengths(&litlens, LITLEN_LIMIT);
        let distance_lengths = codes::lengths(&self.distances, DISTANCE_LIMIT);
        let header = Header::new(&lengths, &distance_lengths);
        let size = header.size()
            + size(&litlens[..=END], &lengths[..=END], &[0; END + 1])
            + size(&litlens[END + 1..], &lengths[END + 1..], &LENGTH_EXTRA)
            + size(&self.distances, &distance_lengths, &DISTANCE_EXTRA);
        if size / 8 >= bytes.len() {
            return stream.put_stored(bytes, false);
        }
        stream.put(size, |bits| {
            header.write(bits);
            let codes = BlockCodes::new(&codes::codes(&lengths), &codes::codes(&distance_lengths));
            self.write_sequences(bytes, &codes, bits);
            bits.put(codes.end.bits.into(), codes.end.count);
        });
    }

    fn count_litlens(&self) -> [u32; LITLENS] {
        let mut counts = [0; LITLENS];
        counts[..END].copy_from_slice(&self.literals);
        counts[END] = 1;
        for (symbol, count) in LENGTH_SYMBOL.iter().zip(&self.lengths) {
            counts[END + 1 + *symbol as usize] += count;
        }
        counts
    }

    fn write_sequences(&self, bytes: &[u8], codes: &BlockCodes, bits: &mut Bits<'_>) {
        let mut rest = bytes;
        for sequence in &self.sequences {
            let (literals, after) = rest.split_at(sequence.literals as usize);
            write_literals(literals, codes, bits);
            let length = codes.lengths[sequence.length as usize];
            let distance = codes.distances[sequence.distance_symbol as usize % DISTANCES];
            let extra = u64::from(sequence.distance - distance.base);
            let all = u64::from(distance.code) | extra << distance.code_count;
            bits.put(u64::from(length.bits) | all << length.count, length.count + distance.count);
            rest = &after[sequence.length as usize + 3..];
        }
        write_literals(rest, codes, bits);
    }
}

/// Total bits of symbols with these counts, code lengths and extra bits.
fn size(counts: &[u32], lengths: &[u8], extra: &[u8]) -> usize {
    let each = counts.iter().zip(lengths).zip(extra);
    each.map(|((&count, &length), &extra)| count as usize * usize::from(length + extra)).sum()
}

#[inline(always)]
fn write_literals(literals: &[u8], codes: &BlockCodes, bits: &mut Bits<'_>) {
    let (fours, rest) = literals.as_chunks::<4>();
    for four in fours {
        let [a, b, c, d] = four.map(|literal| codes.literals[literal as usize]);
        let first = u64::from(a.bits) | u64::from(b.bits) << a.count;
        let second = u64::from(c.bits) | u64::from(d.bits) << c.count;
        let count = a.count + b.count;
        bits.put(first | second << count, count + c.count + d.count);
    }
    for &literal in rest {
        let code = codes.literals[literal as usize];
        bits.put(code.bits.into(), code.count);
    }
}

/// A block's codes, ready to be written.
struct BlockCodes {
    literals: [Code; 256],
    end: Code,
    /// With their extra bits, indexed by the length minus 3.
    lengths: [Code; 256],
    distances: [DistanceCode; DISTANCES],
}

#[derive(Clone, Copy)]
struct DistanceCode {
    code: u32,
    code_count: u8,
    /// The smallest distance with this symbol, minus 1.
    base: u16,
    /// Number of bits, including the extra bits.
    count: u32,
}

impl BlockCodes {
    fn new(litlens: &[Code; LITLENS], distances: &[Code; DISTANCES]) -> Self {
        let mut codes = Self {
            literals: [Code::default(); 256],
            end: litlens[END],
            lengths: std::array::from_fn(|length| length_code(length, litlens)),
            distances: std::array::from_fn(|symbol| distance_code(symbol, distances[symbol])),
        };
        codes.literals.copy_from_slice(&litlens[..END]);
        codes
    }
}

fn length_code(length: usize, litlens: &[Code; LITLENS]) -> Code {
    let symbol = LENGTH_SYMBOL[length] as usize;
    let Code { bits, count } = litlens[END + 1 + symbol];
    let extra = length as u32 - u32::from(LENGTH_BASE[symbol]);
    Code { bits: bits | extra << count, count: count + u32::from(LENGTH_EXTRA[symbol]) }
}

fn distance_code(symbol: usize, Code { bits, count }: Code) -> DistanceCode {
    let all = count + u32::from(DISTANCE_EXTRA[symbol]);
    DistanceCode { code: bits, code_count: count as u8, base: DISTANCE_BASE[symbol], count: all }
}
