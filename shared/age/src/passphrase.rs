//! Passphrase recipients: scrypt, the only stanza of its header.
//!
//! One derivation takes 256 MiB and most of a second. Derivations therefore run one at a time per process,
//! and a header with a much larger work factor is refused before anything is allocated.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use scrypt::Params;
use zeroize::Zeroizing;

use crate::error::{SealError, SealResult};
use crate::keys::{self, FileKey, Key};
use crate::stanza::{self, Stanza};

/// The stanza's type.
pub(crate) const KIND: &str = "scrypt";
const SALT_PREFIX: &[u8] = b"age-encryption.org/v1/scrypt";
const SALT_BYTES: usize = 16;

/// Base-2 logarithm of scrypt's N for files sealed here, as in age itself.
pub const WORK_FACTOR: u8 = 18;

/// The largest accepted work factor: 1 GiB. It is larger than [`WORK_FACTOR`] because other tools choose
/// higher factors on fast machines.
pub const MAX_WORK_FACTOR: u8 = 20;

/// Limits derivations, which need 256 MiB and more each, to one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A passphrase. Wiped when dropped, never printed.
pub struct Passphrase {
    text: Zeroizing<String>,
    max_work_factor: u8,
}

impl Passphrase {
    /// Takes the text of a file or a prompt, without one trailing line break.
    ///
    /// # Errors
    /// [`SealError::EmptyPassphrase`].
    pub fn new(text: &str) -> Result<Self, SealError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(SealError::EmptyPassphrase);
        }
        Ok(Self { text: Zeroizing::new(text.to_owned()), max_work_factor: MAX_WORK_FACTOR })
    }

    /// Limits the work factor that it opens to `work_factor`, for a process with less memory than
    /// [`MAX_WORK_FACTOR`] needs.
    #[must_use]
    pub fn with_max_work_factor(mut self, work_factor: u8) -> Self {
        self.max_work_factor = work_factor.min(MAX_WORK_FACTOR);
        self
    }

    pub(crate) fn wrap(&self, file_key: &FileKey) -> Stanza {
        let mut salt = [0; SALT_BYTES];
        keys::fill_random(&mut salt);
        let wrapping = self.derive(&salt, WORK_FACTOR);
        let arguments = vec![stanza::encode(&salt), WORK_FACTOR.to_string()];
        Stanza::new(KIND, arguments, file_key.wrap(&wrapping))
    }

    pub(crate) fn unwrap(&self, stanza: &Stanza) -> SealResult<FileKey> {
        let Parsed { salt, work_factor, wrapped } = parse(stanza)?;
        if work_factor > self.max_work_factor {
            return Err(SealError::WorkFactor { found: work_factor, limit: self.max_work_factor });
        }
        let wrapping = self.derive(&salt, work_factor);
        FileKey::unwrap(&wrapping, &wrapped).ok_or(SealError::WrongPassphrase)
    }

    fn derive(&self, salt: &[u8; SALT_BYTES], work_factor: u8) -> Key {
        let salt = [SALT_PREFIX, salt].concat();
        let params = Params::new(work_factor, 8, 1).expect("work factors are small");
        let mut key = Key::default();
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let derived = scrypt::scrypt(self.text.as_bytes(), &salt, &params, key.as_mut_slice());
        derived.expect("32 bytes are within scrypt's limits");
        key
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase([redacted])")
    }
}

/// A parsed stanza.
pub(crate) struct Parsed {
    salt: [u8; SALT_BYTES],
    work_factor: u8,
    wrapped: [u8; keys::WRAPPED_BYTES],
}

pub(crate) fn parse(stanza: &Stanza) -> SealResult<Parsed> {
    let [salt, work_factor] = stanza.arguments.as_slice() else {
        return Err(malformed("does not have exactly two arguments"));
    };
    let salt = stanza::decode_array(salt);
    let salt = salt.ok_or_else(|| malformed("has a salt that is not 16 bytes of base64"))?;
    let work_factor = parse_work_factor(work_factor);
    let work_factor =
        work_factor.ok_or_else(|| malformed("has a work factor that is not a number up to 63"))?;
    let wrapped = stanza.body.as_slice().try_into();
    let wrapped = wrapped.map_err(|_| malformed("has a body that is not 32 bytes long"))?;
    Ok(Parsed { salt, work_factor, wrapped })
}

/// A decimal number from 1 to 63 without sign or leading zero.
fn parse_work_factor(text: &str) -> Option<u8> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let number = text.parse().ok()?;
    (plain && (1..64).contains(&number)).then_some(number)
}

fn malformed(problem: &'static str) -> SealError {
    SealError::Stanza { recipient: "a passphrase", problem }
}
