//! The text form of a sealed value, as stored in database columns.
//!
//! ```text
//! characters  what
//!          5  "srv1."
//!         16  kid, lower-case hexadecimal
//!          1  "."
//!       rest  base64url without padding of the body:
//!
//! offset  bytes  what
//!      0     24  nonce
//!     24     32  key commitment
//!     56      n  ciphertext
//! 56 + n     16  tag
//! ```
//!
//! Each value has exactly one text form: no padding, no unused bits, no upper case, no white space. A changed
//! text therefore never opens, and equal texts mean equal values.

use crate::body::{self, SealingKey};
use crate::error::{Error, Result};
use crate::secret::SecretBytes;
use crate::{Cell, Kid};

/// The longest plaintext in bytes. The vault itself accepts at most 64 KiB, for credentials and for callers'
/// values; this wider limit bounds the memory of one call.
pub const MAX_VALUE_BYTES: usize = 1 << 20;

/// First part of the text form, and first authenticated field.
const FORMAT: &str = "srv1";

/// Characters before the body: format, kid and two dots.
const HEAD_CHARS: usize = FORMAT.len() + 1 + 16 + 1;

pub(crate) fn seal(key: &SealingKey, kid: Kid, cell: &Cell<'_>, plaintext: &[u8]) -> Result<String> {
    let bytes = plaintext.len();
    if bytes > MAX_VALUE_BYTES {
        return Err(Error::TooLarge { bytes });
    }
    let mut text = String::with_capacity(HEAD_CHARS + body::text_len(bytes));
    for part in [FORMAT, ".", &kid.to_string(), "."] {
        text.push_str(part);
    }
    key.seal(&cell.aad(FORMAT, kid), plaintext, &mut text);
    Ok(text)
}

pub(crate) fn open(key: &SealingKey, cell: &Cell<'_>, sealed: &str) -> Result<SecretBytes> {
    let (kid, body) = split(sealed)?;
    // Checked before decoding: a text this long was not made here.
    if body.len() > body::text_len(MAX_VALUE_BYTES) {
        return Err(Error::Open);
    }
    key.open(&cell.aad(FORMAT, kid), body)
}

/// The key version that sealed a value, read from its text form. Not authenticated until the value opens.
///
/// # Errors
/// [`Error::Malformed`] if the text does not begin with `srv1.`, a kid and a dot.
pub fn parse_kid(sealed: &str) -> Result<Kid> {
    let (kid, _) = split(sealed)?;
    Ok(kid)
}

/// Kid and body.
fn split(sealed: &str) -> Result<(Kid, &str)> {
    let malformed = Error::Malformed { what: "sealed value", expected: "srv1.<key version id>.<base64url>" };
    let mut parts = sealed.splitn(3, '.');
    let (Some(FORMAT), Some(kid), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(malformed);
    };
    let kid = kid.parse().map_err(|_| malformed)?;
    Ok((kid, body))
}
