//! The search for earlier occurrences: one lookup per position, because lookups are most of the work.
//!
//! Only repetitions of eight or more bytes are searched for. Shorter ones save little and take as long,
//! mostly in branches that no processor predicts: with six bytes, rows of JSON become 1 % smaller and English
//! text 5 %, and both take a fifth more time.

use super::block::Block;

/// 8,192 places (16 KiB) fit in the first-level cache beside the view. JSON is compressed to 0.318 of the
/// input with 4,096 places, to 0.305 with 8,192, and to 0.298 with 16,384, at 1.90, 1.78 and 1.71 times the
/// speed of level 1 of zlib-rs.
const PLACES_BITS: u32 = 13;
/// Maximum distance of a match (RFC 1951 §3.2.5).
const FARTHEST: usize = 32 * 1024;
/// The longest match.
const LONGEST: usize = 258;
/// Number of positions without a match after which some positions are skipped.
const PATIENCE: usize = 256;
/// Positions below 65,536, and the bytes that a match at the last of them can cover.
const VIEW: usize = 2 * FARTHEST + LONGEST + 6;

/// A part of a chunk. Its size tells the compiler that eight bytes or a match fit at any 16-bit position:
/// bounds checks would take a twentieth more time.
type View = [u8; VIEW];

type Places = [u16; 1 << PLACES_BITS];

/// Finds matches.
pub(super) struct Matcher {
    /// The last position of each hash of eight bytes, modulo 65,536.
    places: Box<Places>,
    /// A copy of a chunk's end, if it is shorter than a view.
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

    /// Adds the literals and matches of `chunk[from..to]` to `block`.
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

/// The beginning of `bytes` as a view, copied if too short.
fn view<'a>(bytes: &'a [u8], copy: &'a mut View) -> &'a View {
    if let Some(view) = bytes.first_chunk() {
        return view;
    }
    copy[..bytes.len()].copy_from_slice(bytes);
    copy
}

/// The part of a chunk that is parsed at once: its positions fit in 16 bits.
struct Part<'a> {
    view: &'a View,
    /// Position of the view in the chunk.
    base: usize,
    /// End of the part in the view; at least eight bytes are left.
    end: usize,
}

impl Part<'_> {
    /// Parses from `from`; returns the position where fewer than eight bytes are left.
    // A separate function, in one piece: inlined into its caller it takes a quarter more time, split into
    // several functions a twenty-fifth.
    #[inline(never)]
    fn parse(&self, from: usize, places: &mut Places, block: &mut Block) -> usize {
        let Self { view, base, end } = *self;
        let last = end - 8;
        let mut at = from;
        let mut step = 1;
        let mut pause = last.min(at + PATIENCE);
        while at <= last {
            // A step variable that every attempt reads would take a quarter more time.
            while at <= pause {
                let here = eight(view, at as u16);
                let now = (base as u16).wrapping_add(at as u16);
                let there = &mut places[place(here)];
                let distance = now.wrapping_sub(*there);
                *there = now;
                let before = (at as u16).wrapping_sub(distance);
                // The bytes are compared, so a place can have any value: too far back, or unset.
                if here == eight(view, before) && usize::from(distance).wrapping_sub(1) < FARTHEST.min(at) {
                    // The only position inside a match that is worth storing: the result is 2 % smaller, at
                    // no cost in speed.
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
    // The multiplier is the odd number nearest to 2^64 divided by the golden ratio, as Knuth recommends.
    (eight.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - PLACES_BITS)) as usize
}

#[inline(always)]
fn eight(view: &View, at: u16) -> u64 {
    view[at as usize..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight))
}

/// Number of equal bytes at two positions, of which eight are known to be equal.
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
