//! Mutations: one to four small changes to an input of the pool, as AFL and libFuzzer make them.

use crate::random::Random;

/// Numbers at which lengths and counters go wrong.
const EDGES: [u64; 12] =
    [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX];

/// A changed copy of an input of `pool`, of at most `longest` bytes.
pub(crate) fn mutate(pool: &[Vec<u8>], random: &mut Random, longest: usize) -> Vec<u8> {
    let mut input = pick(pool, random).to_vec();
    for _ in 0..=random.below(4) {
        change(&mut input, pool, random);
    }
    input.truncate(longest);
    input
}

fn pick<'a>(pool: &'a [Vec<u8>], random: &mut Random) -> &'a [u8] {
    &pool[random.below(pool.len())]
}

fn change(input: &mut Vec<u8>, pool: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len());
    let most = 1 + random.below(64);
    let length = 1 + random.below(most.min(input.len() - at));
    match random.below(10) {
        0 => flip(input, at, random),
        1 => set(input, at, &[random.byte()]),
        2 => remove(input, at, length),
        3 => insert(input, at, &vec![random.byte(); length]),
        4 => repeat(input, at, length),
        5 => edge(input, at, random),
        6 => number(input, at, random),
        7 => input.truncate(at),
        8 => splice(input, at, pick(pool, random), random),
        _ => swap(input, at, random),
    }
}

fn flip(input: &mut [u8], at: usize, random: &mut Random) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

/// Overwrites the bytes at `at`, but does not make the input longer.
fn set(input: &mut [u8], at: usize, bytes: &[u8]) {
    input[at..].iter_mut().zip(bytes).for_each(|(byte, new)| *byte = *new);
}

fn remove(input: &mut Vec<u8>, at: usize, length: usize) {
    let end = (at + length).min(input.len());
    input.drain(at..end);
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}

fn repeat(input: &mut Vec<u8>, at: usize, length: usize) {
    let piece = input[at..(at + length).min(input.len())].to_vec();
    insert(input, at, &piece);
}

/// Overwrites the bytes at `at` with a number at the edge of its type, in 1, 2, 4 or 8 bytes of either order.
fn edge(input: &mut [u8], at: usize, random: &mut Random) {
    let (number, width) = (EDGES[random.below(EDGES.len())], 1 << random.below(4));
    match random.below(2) {
        0 => set(input, at, &number.to_le_bytes()[..width]),
        _ => set(input, at, &number.to_be_bytes()[8 - width..]),
    }
}

/// Replaces the first digits at or after `at` with another number.
fn number(input: &mut Vec<u8>, at: usize, random: &mut Random) {
    let digits = input[at..].iter().position(u8::is_ascii_digit).map(|skipped| at + skipped);
    let Some(begin) = digits else { return };
    let length = input[begin..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let new = EDGES[random.below(EDGES.len())].wrapping_add(random.next() % 3).to_string();
    input.splice(begin..begin + length, new.bytes());
}

/// Writes a piece of another input over the bytes at `at`, or inserts it there.
fn splice(input: &mut Vec<u8>, at: usize, other: &[u8], random: &mut Random) {
    let begin = random.below(other.len());
    let end = (begin + 1 + random.below(128)).min(other.len());
    match random.below(2) {
        0 => set(input, at, &other[begin..end]),
        _ => insert(input, at, &other[begin..end]),
    }
}

fn swap(input: &mut [u8], at: usize, random: &mut Random) {
    let other = random.below(input.len());
    if !input.is_empty() {
        input.swap(at, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_can_be_changed_and_the_limit_holds() {
        let mut random = Random::new(7);
        for length in [0, 1, 2, 50] {
            let pool = vec![vec![b'7'; length]];
            for _ in 0..5_000 {
                assert!(mutate(&pool, &mut random, 60).len() <= 60);
            }
        }
    }
}
