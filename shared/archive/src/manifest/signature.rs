//! `manifest.sig`: identifies the maker of an archive to readers that know the vault's signing key.
//!
//! This crate only transports the signature and does no cryptography with it: FORMAT.md §11 specifies the
//! signed message, and the owner of the key verifies it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

/// Length of an Ed25519 signature in bytes.
const SIGNATURE_BYTES: usize = 64;
const MAX_ARCHIVE_ID: usize = 64;

/// A signature of `manifest.json`. Its text form is one line with spaces between the key version's id, the
/// archive's id, the time (RFC 3339, UTC, six decimals) and 128 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestSignature {
    kid: String,
    archive_id: String,
    time: Timestamp,
    bytes: [u8; SIGNATURE_BYTES],
}

impl ManifestSignature {
    /// `kid` is the signing key's version, 16 lower-case hex digits; `archive_id` has 1 to 64 letters, digits
    /// and hyphens; `time` has microsecond precision. `None` if anything has another form.
    #[must_use]
    pub fn new(kid: &str, archive_id: &str, time: Timestamp, bytes: &[u8]) -> Option<Self> {
        let is_kid = kid.len() == 16 && kid.bytes().all(is_hex);
        let in_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_id = (1..=MAX_ARCHIVE_ID).contains(&archive_id.len()) && archive_id.bytes().all(in_id);
        let is_exact = time.subsec_nanosecond() % 1000 == 0;
        let bytes = bytes.try_into().ok()?;
        let (kid, archive_id) = (kid.to_owned(), archive_id.to_owned());
        (is_kid && is_id && is_exact).then_some(Self { kid, archive_id, time, bytes })
    }

    /// The version of the signing key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The archive that was signed.
    #[must_use]
    pub fn archive_id(&self) -> &str {
        &self.archive_id
    }

    /// When the vault signed it, according to the vault's clock.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The time in its signed form.
    #[must_use]
    pub fn time_text(&self) -> String {
        format!("{:.6}", self.time)
    }

    /// The signature itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.bytes
    }
}

impl fmt::Display for ManifestSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kid, archive_id, bytes, .. } = self;
        write!(f, "{kid} {archive_id} {} {}", self.time_text(), hex::encode(bytes))
    }
}

impl FromStr for ManifestSignature {
    type Err = ();

    /// Parses one line; its line feed is optional.
    fn from_str(text: &str) -> Result<Self, ()> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let mut parts = line.splitn(4, ' ');
        let mut part = || parts.next().ok_or(());
        let (kid, archive_id, time, digits) = (part()?, part()?, part()?, part()?);
        if !digits.bytes().all(is_hex) {
            return Err(());
        }
        let (bytes, instant) = (hex::decode(digits).map_err(drop)?, time.parse().map_err(drop)?);
        let signature = Self::new(kid, archive_id, instant, &bytes).ok_or(())?;
        // Each time has exactly one text form.
        if signature.time_text() == time { Ok(signature) } else { Err(()) }
    }
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const TIME: &str = "2026-05-06T10:14:22.000123Z";

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let signature =
            ManifestSignature::new("0123456789abcdef", "01a2-x", TIME.parse().unwrap(), &[7; 64]).unwrap();
        let line = format!("{signature}\n");
        assert_eq!(line, format!("0123456789abcdef 01a2-x {TIME} {}\n", "07".repeat(64)));
        assert_eq!(line.parse(), Ok(signature));
    }

    #[test]
    fn anything_else_is_refused() {
        let good = format!("0123456789abcdef 01a2-x {TIME} {}", "07".repeat(64));
        assert!(good.parse::<ManifestSignature>().is_ok());
        for bad in [
            String::new(),
            "signature".to_owned(),
            good.to_uppercase(),
            good[..good.len() - 2].to_owned(),
            format!("{good}00"),
            format!("{good}\n\n"),
            format!(" {good}"),
            good.replacen(' ', "  ", 1),
            good[1..].to_owned(),
            good.replace("01a2-x", ""),
            good.replace("01a2-x", "01a2_x"),
            good.replace("01a2-x", &"1".repeat(65)),
            good.replace(".000123Z", ".123Z"),
            good.replace(".000123Z", ".0001231Z"),
            good.replace('Z', "+00:00"),
            good.replace(TIME, "never"),
        ] {
            assert_eq!(bad.parse::<ManifestSignature>(), Err(()), "{bad:?}");
        }
    }
}
