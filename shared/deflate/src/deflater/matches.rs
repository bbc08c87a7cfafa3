//! The search for what was there before: one look for each position, because looking is most of the work.
//!
//! Only repetitions of eight bytes and more are looked for. Shorter ones save little and take as long, mostly
//! in branches that no processor foresees: with six bytes rows of JSON get smaller by a hundredth and English
//! by a twentieth, and both take a fifth more time.

use super::block::Block;

/// 8,192 places, 16 KiB, stay in the first cache beside the view. JSON against level 1 of zlib-rs: 4,096
/// give 0.318 at 1.90 times its speed, 8,192 0.305 at 1.78, and 16,384 0.298 at 1.71.
const PLACES_BITS: u32 = 13;
/// How far back a match may reach (RFC 1951 §3.2.5).
const FARTHEST: usize = 32 * 1024;
/// The longest match.
const LONGEST: usize = 258;
/// Positions without a match after which some are left out.
const PATIENCE: usize = 256;
/// Positions below 65,536, and what a match at the last of them may cover.
const VIEW: usize = 2 * FARTHEST + LONGEST + 6;

/// A part of a chunk. Of this size, so that the compiler knows that it holds eight bytes or a match at
/// any position of 16 bits: checks would take a twentieth more time.
type View = [u8; VIEW];

type Places = [u16; 1 << PLACES_BITS];

/// Finds matches.
pub(super) struct Matcher {
    /// For each hash of eight bytes where they were last, modulo 65,536.
    places: Box<Places>,
    /// The end of a chunk, where it is shorter than a view.
    end: Box<View>,
}

impl Default for Matcher {
    fn default() -> Self {
        Self { places: Box::new([0; 1 << PLACES_BITS]), end: Box::new([0; VIEW]) }
    }
}

impl Matcher {
    /// Forgets everything.
    pub(super) fn restart(&mut self) {
        self.places.fill(0);
    }

    /// Adds what `chunk[from..to]` is made of to `block`.
    pub(super) fn parse(&mut self, chunk: &[u8], from: usize, to: usize, block: &mut Block) {
        let mut at = from;
        while at + 8 <= to {
            let base = at.saturating_sub(FARTHEST);
            let view = view(&chunk[base..], &mut self.end);
            let part = Part { view, base, end: (to - base).min(2 * FARTHEST) };
            at = base + part.parse(at - base, &mut self.places, block);
        }
        block.count(&chunk[at..to]);
    }
}

/// The beginning of `bytes` as a view, copied if it is too short.
fn view<'a>(bytes: &'a [u8], copy: &'a mut View) -> &'a View {
    if let Some(view) = bytes.first_chunk() {
        return view;
    }
    copy[..bytes.len()].copy_from_slice(bytes);
    copy
}

/// As much as is parsed in one go: positions fit in 16 bits.
struct Part<'a> {
    view: &'a View,
    /// Where the view begins in the chunk.
    base: usize,
    /// Where the part ends in the view; eight bytes at least are left.
    end: usize,
}

impl Part<'_> {
    /// Parses from `from` on; returns where fewer than eight bytes are left.
    // Alone and in one piece: put into its caller it takes a quarter more time, as several functions a
    // twenty-fifth.
    #[inline(never)]
    fn parse(&self, from: usize, places: &mut Places, block: &mut Block) -> usize {
        let Self { view, base, end } = *self;
        let last = end - 8;
        let mut at = from;
        let mut step = 1;
        let mut pause = last.min(at + PATIENCE);
        while at <= last {
            // A step that every try looks at would take a quarter more time.
            while at <= pause {
                let here = eight(view, at as u16);
                let now = (base as u16).wrapping_add(at as u16);
                let there = &mut places[place(here)];
                let distance = now.wrapping_sub(*there);
                *there = now;
                let before = (at as u16).wrapping_sub(distance);
                // The bytes are compared, so a place may be anything: too far back, or not set.
                if here == eight(view, before) && usize::from(distance).wrapping_sub(1) < FARTHEST.min(at) {
                    // The one position inside a match that is worth it: a fiftieth smaller, and no slower.
                    places[place(eight(view, at as u16 + 1))] = now.wrapping_add(1);
                    let length = match_length(view, before, at as u16).min(end - at);
                    block.push(base + at, length, distance);
                    at += length;
                    pause = last.min(at + PATIENCE);
                    step = 1;
                } else {
                    block.count(&[here as u8]);
                    at += 1;
                }
            }
            let next = end.min(at + step);
            block.count(&view[at..next]);
            at = next;
            pause = at.min(last);
            step += 1;
        }
        at
    }
}

#[inline(always)]
fn place(eight: u64) -> usize {
    // The multiplier is the odd number nearest to 2^64 by the golden ratio, as Knuth advises.
    (eight.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - PLACES_BITS)) as usize
}

#[inline(always)]
fn eight(view: &View, at: u16) -> u64 {
    view[at as usize..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight))
}

/// How many bytes are the same at two positions, eight being known to be.
#[inline(always)]
fn match_length(view: &View, before: u16, at: u16) -> usize {
    let before = &view[before as usize..][8..LONGEST];
    let here = &view[at as usize..][8..LONGEST];
    let (befores, before_rest) = before.as_chunks();
    let (heres, here_rest) = here.as_chunks();
    for (index, (before, here)) in befores.iter().zip(heres).enumerate() {
        let different = u64::from_le_bytes(*before) ^ u64::from_le_bytes(*here);
        if different != 0 {
            return 8 + 8 * index + different.trailing_zeros() as usize / 8;
        }
    }
    if before_rest == here_rest { LONGEST } else { LONGEST - here_rest.len() }
}
