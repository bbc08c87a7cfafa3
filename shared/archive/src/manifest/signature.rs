//! `manifest.sig`: who made an archive, for readers that know the vault's signing key.
//!
//! This crate carries the signature and does no cryptography with it: FORMAT.md §11 says what is signed, and
//! the key's owner verifies it.

use std::fmt;
use std::str::FromStr;

/// Length of an Ed25519 signature in bytes.
const SIGNATURE_BYTES: usize = 64;

/// A signature over `manifest.json`. As text: the key version's id, a space, and 128 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestSignature {
    kid: String,
    bytes: [u8; SIGNATURE_BYTES],
}

impl ManifestSignature {
    /// `kid` is the signing key's version, 16 lower-case hex digits. None if either has another form.
    #[must_use]
    pub fn new(kid: &str, bytes: &[u8]) -> Option<Self> {
        let is_kid = kid.len() == 16 && kid.bytes().all(is_hex);
        let bytes = bytes.try_into().ok()?;
        is_kid.then(|| Self { kid: kid.to_owned(), bytes })
    }

    /// The version of the signing key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The signature itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.bytes
    }
}

impl fmt::Display for ManifestSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kid, hex::encode(self.bytes))
    }
}

impl FromStr for ManifestSignature {
    type Err = ();

    /// One line; its line feed may be missing.
    fn from_str(text: &str) -> Result<Self, ()> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let (kid, digits) = line.split_once(' ').ok_or(())?;
        if !digits.bytes().all(is_hex) {
            return Err(());
        }
        Self::new(kid, &hex::decode(digits).map_err(drop)?).ok_or(())
    }
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let signature = ManifestSignature::new("0123456789abcdef", &[7; 64]).unwrap();
        let line = format!("{signature}\n");
        assert_eq!(line.len(), 16 + 1 + 128 + 1);
        assert_eq!(line.parse(), Ok(signature));
    }

    #[test]
    fn anything_else_is_refused() {
        let good = format!("0123456789abcdef {}", "07".repeat(64));
        for bad in [
            String::new(),
            "signature".to_owned(),
            good.to_uppercase(),
            good[..good.len() - 2].to_owned(),
            format!("{good}00"),
            format!("{good}\n\n"),
            format!(" {good}"),
            good.replace(' ', "  "),
            good[1..].to_owned(),
        ] {
            assert_eq!(bad.parse::<ManifestSignature>(), Err(()), "{bad:?}");
        }
    }
}
