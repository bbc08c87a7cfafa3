//! Huffman codes of limited length: deflate allows at most 15 bits, and only 7 in its header.

use super::symbols::LITLENS;

/// No Huffman tree is this deep if the counts of its symbols add up to less than 2^32: the sum needed for a
/// depth grows like the Fibonacci numbers.
const DEEPEST: usize = 48;

/// A code as written: its bits, lowest first, and their number.
#[derive(Clone, Copy, Default)]
pub(super) struct Code {
    pub(super) bits: u32,
    pub(super) count: u32,
}

/// A symbol that occurs.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Leaf {
    count: u32,
    symbol: u16,
}

/// The code length of each symbol: 0 for symbols that do not occur, otherwise up to `limit` (at least 7).
///
/// At least two symbols get a code, even if fewer occur: RFC 1951 allows fewer, but not every reader does.
pub(super) fn lengths<const N: usize>(counts: &[u32; N], limit: usize) -> [u8; N] {
    let mut counts = *counts;
    if counts.iter().filter(|&&count| count > 0).count() < 2 {
        counts[0] = counts[0].max(1);
        counts[1] = counts[1].max(1);
    }
    let leaves = (0..).zip(counts).map(|(symbol, count)| Leaf { count, symbol });
    let mut sorted = [Leaf::default(); LITLENS];
    let mut used = 0;
    for leaf in leaves.filter(|leaf| leaf.count > 0) {
        sorted[used] = leaf;
        used += 1;
    }
    let sorted = &mut sorted[..used];
    sorted.sort_unstable();
    let mut per_length = leaves_per_depth(sorted);
    limit_depth(&mut per_length, limit);
    assign(sorted, &per_length)
}

/// Number of leaves at each depth of the Huffman tree; `leaves` are sorted, at least two.
///
/// Nodes are created in sorted order too, so two queues yield the two lightest ones.
fn leaves_per_depth(leaves: &[Leaf]) -> [u32; DEEPEST] {
    let mut weights = [0; LITLENS];
    let mut leaf_parents = [0; LITLENS];
    let mut node_parents = [0; LITLENS];
    let (mut leaf, mut node) = (0, 0);
    for parent in 0..leaves.len() - 1 {
        for _ in 0..2 {
            if node == parent || leaf < leaves.len() && leaves[leaf].count <= weights[node] {
                weights[parent] += leaves[leaf].count;
                leaf_parents[leaf] = parent;
                leaf += 1;
            } else {
                weights[parent] += weights[node];
                node_parents[node] = parent;
                node += 1;
            }
        }
    }
    // The last node is the root.
    let mut depths = [0; LITLENS];
    for node in (0..leaves.len() - 2).rev() {
        depths[node] = depths[node_parents[node]] + 1;
    }
    let mut per_depth = [0; DEEPEST];
    for parent in &leaf_parents[..leaves.len()] {
        per_depth[depths[*parent] + 1] += 1;
    }
    per_depth
}

/// Shortens codes that are too long, then lengthens the longest of the shorter codes by a bit until the set
/// is no longer over-subscribed: the set stays complete.
fn limit_depth(per_length: &mut [u32; DEEPEST], limit: usize) {
    let too_long: u32 = per_length[limit + 1..].iter().sum();
    per_length[limit + 1..].fill(0);
    per_length[limit] += too_long;
    let taken: u32 = (1..=limit).map(|length| per_length[length] << (limit - length)).sum();
    for _ in 1 << limit..taken {
        let Some(length) = (1..limit).rev().find(|&length| per_length[length] > 0) else { return };
        per_length[length] -= 1;
        per_length[length + 1] += 2;
        per_length[limit] -= 1;
    }
}

/// Assigns the longest codes to the rarest symbols.
fn assign<const N: usize>(rarest_first: &[Leaf], per_length: &[u32; DEEPEST]) -> [u8; N] {
    let mut lengths = [0; N];
    let mut left = rarest_first.iter();
    for (length, &count) in (0..DEEPEST as u8).zip(per_length).rev() {
        for leaf in left.by_ref().take(count as usize) {
            lengths[leaf.symbol as usize] = length;
        }
    }
    lengths
}

/// The codes for these lengths (RFC 1951 §3.2.2).
pub(super) fn codes<const N: usize>(lengths: &[u8; N]) -> [Code; N] {
    let mut next = [0_u32; 17];
    for &length in lengths.iter().filter(|&&length| length > 0) {
        next[length as usize + 1] += 1;
    }
    for length in 1..17 {
        next[length] = (next[length] + next[length - 1]) << 1;
    }
    lengths.map(|length| {
        let code = &mut next[length as usize];
        *code += 1;
        let count = u32::from(length);
        let bits = if count == 0 { 0 } else { (*code - 1).reverse_bits() >> (32 - count) };
        Code { bits, count }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of all codes of `limit` bits that these take: 1 << `limit` if the set is complete.
    fn taken(lengths: &[u8], limit: usize) -> u32 {
        lengths.iter().filter(|&&length| length > 0).map(|&length| 1 << (limit - length as usize)).sum()
    }

    #[test]
    fn codes_are_complete_within_the_limit() {
        let mut fibonacci = [0; 40];
        let (mut few, mut many) = (1, 1);
        for count in &mut fibonacci {
            *count = few;
            (few, many) = (many, few + many);
        }
        for limit in [7, 12, 15] {
            let lengths = lengths(&fibonacci, limit);
            assert_eq!(taken(&lengths, limit), 1 << limit);
            assert_eq!(usize::from(lengths[0]), limit);
            assert!(lengths.is_sorted_by(|a, b| a >= b));
        }
        assert_eq!(taken(&lengths(&[1; LITLENS], 12), 12), 1 << 12);
        assert_eq!(taken(&lengths(&[9; 19], 7), 7), 1 << 7);
    }

    #[test]
    fn frequent_symbols_get_the_shortest_codes() {
        assert_eq!(lengths(&[10, 0, 1, 4, 2], 15), [1, 0, 3, 2, 3]);
    }

    #[test]
    fn two_symbols_get_a_code_at_least() {
        assert_eq!(lengths(&[0, 0, 0], 15), [1, 1, 0]);
        assert_eq!(lengths(&[0, 5, 0], 15), [1, 1, 0]);
        assert_eq!(taken(&lengths(&[0, 0, 5], 15), 15), 1 << 15);
    }

    /// The example of RFC 1951 §3.2.2, which prints codes highest bit first.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let codes = codes(&[3, 3, 3, 3, 3, 2, 4, 4]);
        let expected = [0b010, 0b011, 0b100, 0b101, 0b110, 0b00, 0b1110, 0b1111_u32];
        for (code, expected) in codes.iter().zip(expected) {
            assert_eq!(code.bits, expected.reverse_bits() >> (32 - code.count));
        }
    }
}
