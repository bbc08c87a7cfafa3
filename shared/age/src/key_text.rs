//! Keys as text: bech32 (BIP 173), with the letter case that age gives public and private halves. age sets no length limit, so a
//! post-quantum key of 1,216 bytes fits.

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Checksum, Hrp};
use zeroize::Zeroizing;

/// Bech32 of texts that are longer than an address of 90 characters.
enum Long {}

impl Checksum for Long {
    type MidstateRepr = <bech32::Bech32 as Checksum>::MidstateRepr;
    const CODE_LENGTH: usize = 4096;
    const CHECKSUM_LENGTH: usize = bech32::Bech32::CHECKSUM_LENGTH;
    const GENERATOR_SH: [Self::MidstateRepr; 5] = bech32::Bech32::GENERATOR_SH;
    const TARGET_RESIDUE: Self::MidstateRepr = bech32::Bech32::TARGET_RESIDUE;
}

/// The prefix of keys of one type.
pub(crate) struct Form {
    prefix: &'static str,
}

impl Form {
    /// `prefix` ends with bech32's separator `1`; its letter case is that of the whole text.
    pub(crate) const fn new(prefix: &'static str) -> Self {
        Self { prefix }
    }

    fn hrp(&self) -> Hrp {
        let name = self.prefix.strip_suffix('1').unwrap_or(self.prefix);
        Hrp::parse(name).expect("prefixes are short and of ASCII")
    }

    /// Decodes N bytes after the prefix. `None` for anything else.
    pub(crate) fn decode<const N: usize>(&self, text: &str) -> Option<Zeroizing<[u8; N]>> {
        if !text.starts_with(self.prefix) {
            return None;
        }
        let parsed = CheckedHrpstring::new::<Long>(text).ok()?;
        if parsed.hrp() != self.hrp() || parsed.validate_segwit_padding().is_err() {
            return None;
        }
        let mut bytes = parsed.byte_iter();
        let mut key = Zeroizing::new([0; N]);
        for byte in key.iter_mut() {
            *byte = bytes.next()?;
        }
        bytes.next().is_none().then_some(key)
    }

    /// The inverse of [`Form::decode`].
    pub(crate) fn encode(&self, bytes: &[u8]) -> Zeroizing<String> {
        let is_upper = self.prefix.starts_with(|first: char| first.is_ascii_uppercase());
        let text = match is_upper {
            true => bech32::encode_upper::<Long>(self.hrp(), bytes),
            false => bech32::encode_lower::<Long>(self.hrp(), bytes),
        };
        Zeroizing::new(text.expect("keys are shorter than the code's length"))
    }
}
