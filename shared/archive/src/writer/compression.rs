//! How hard deflate tries, chosen by the beginning of the data where nobody chose it.

use std::io::Write as _;

use flate2::Compression as Level;
use flate2::write::DeflateEncoder;

use crate::error::{Error, Result};

/// For what does not shrink: any more is effort for nothing.
const FAST: u8 = 1;
/// For what does: the smallest effort that writes Huffman codes made for the data. Figures:
/// docs/performance.md.
const SMALL: u8 = 2;
/// Bytes of an entry that are looked at.
const SAMPLE: usize = 64 * 1024;

/// How hard deflate tries: from 1 (fast) to 9 (small), or chosen for each entry by a sample of it (the default).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compression(Option<u8>);

impl Compression {
    /// A level from 1 to 9. Zero would store, and above nine another compressor would be chosen.
    pub fn level(level: u8) -> Result<Self> {
        if (1..=9).contains(&level) {
            return Ok(Self(Some(level)));
        }
        Err(Error::Usage("the compression level must be from 1 to 9"))
    }

    /// The level for an entry that begins with `sample`.
    pub(super) fn level_for(self, sample: &[u8]) -> i64 {
        self.0.unwrap_or_else(|| if shrinks(sample) { SMALL } else { FAST }).into()
    }
}

/// Whether deflate takes away a tenth at least.
fn shrinks(sample: &[u8]) -> bool {
    let sample = &sample[..sample.len().min(SAMPLE)];
    let mut encoder = DeflateEncoder::new(Vec::new(), Level::new(FAST.into()));
    let deflated = encoder.write_all(sample).and_then(|()| encoder.finish());
    deflated.is_ok_and(|deflated| deflated.len() < sample.len() / 10 * 9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_not_worth_an_effort() {
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let noise: Vec<u8> = noise.take(SAMPLE).collect();
        let text = b"{\"id\":1,\"name\":\"a name like others\"},\n".repeat(1000);
        assert_eq!(Compression::default().level_for(&noise), i64::from(FAST));
        assert_eq!(Compression::default().level_for(&text), i64::from(SMALL));
        assert_eq!(Compression::default().level_for(b""), i64::from(FAST));
        assert_eq!(Compression(Some(9)).level_for(&noise), 9);
    }
}
