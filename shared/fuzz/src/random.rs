//! Random choices that a seed repeats, for fuzzing and for other random tests: SplitMix64 (Steele, Lea and Flood, 2014).

use std::hash::{BuildHasher as _, RandomState};

/// Random choices: the same for a seed, on every machine.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Choices determined by `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed that no other run has.
    pub(crate) fn fresh_seed() -> u64 {
        RandomState::new().hash_one(0)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `end - 1`; 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() % end as u64) as usize }
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    /// True in `percent` of all cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// Each of `choices` with the same probability, in their order.
    pub fn some<T: Clone>(&mut self, percent: usize, choices: &[T]) -> Vec<T> {
        choices.iter().filter(|_| self.chance(percent)).cloned().collect()
    }

    /// `text` in `percent` of all cases, otherwise an empty text.
    pub fn maybe<'a>(&mut self, percent: usize, text: &'a str) -> &'a str {
        if self.chance(percent) { text } else { "" }
    }
}
