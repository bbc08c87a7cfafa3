//! Random choices determined by a seed.

/// SplitMix64: the same choices for a seed on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// True in `percent` of all cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// `text` in `percent` of all cases.
    pub fn maybe<'a>(&mut self, percent: usize, text: &'a str) -> &'a str {
        if self.chance(percent) { text } else { "" }
    }

    /// Selects each choice with the same probability; keeps their order.
    pub fn some<T: Clone>(&mut self, percent: usize, choices: &[T]) -> Vec<T> {
        choices.iter().filter(|_| self.chance(percent)).cloned().collect()
    }
}

/// Generates names that are unique in the schema; most of them need quotes.
#[derive(Default)]
pub struct Names(usize);

impl Names {
    pub fn next(&mut self, random: &mut Random, what: &str) -> String {
        self.0 += 1;
        let number = self.0;
        match random.below(14) {
            0 => format!("{} {number}", what.to_uppercase()),
            1 => format!("the \"{what}\" {number}"),
            2 => format!("select.{what}{number}"),
            3 => format!("größe_{what}_{number}"),
            4 => format!("it's {what} {number}"),
            5 => format!("{what}\\{number}"),
            6 => format!("{number}$ 100%_{what}, (x)"),
            // The maximum length in PostgreSQL.
            7 => format!("{:x<63}", format!("{what}_{number}_")),
            _ => format!("{what}_{number}"),
        }
    }
}

/// A quoted SQL identifier.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
