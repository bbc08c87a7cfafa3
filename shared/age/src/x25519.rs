//! X25519 recipients `age1…` and their identities `AGE-SECRET-KEY-1…`.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq;
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};
use zeroize::Zeroizing;

use crate::error::{SealError, SealResult};
use crate::key_text;
use crate::keys::{self, FileKey, Key};
use crate::stanza::{self, Stanza};

/// The stanza's type.
pub(crate) const KIND: &str = "X25519";
const INFO: &[u8] = b"age-encryption.org/v1/X25519";
const PUBLIC: key_text::Form = key_text::Form::new("age1");
const SECRET: key_text::Form = key_text::Form::new("AGE-SECRET-KEY-1");

/// The public half of a key: anyone can seal to it. Printed and parsed as `age1…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct X25519Recipient([u8; 32]);

impl X25519Recipient {
    /// Wraps the file key to this recipient under a new ephemeral key.
    pub(crate) fn wrap(&self, file_key: &FileKey) -> SealResult<Stanza> {
        let mut ephemeral = Key::default();
        keys::fill_random(ephemeral.as_mut_slice());
        let share = x25519(*ephemeral, X25519_BASEPOINT_BYTES);
        // No one can hold the private half of a point of small order.
        let wrapping = wrapping_key(&ephemeral, &self.0, &share, &self.0).ok_or(SealError::RecipientForm)?;
        Ok(Stanza::new(KIND, vec![stanza::encode(&share)], file_key.wrap(&wrapping)))
    }
}

impl FromStr for X25519Recipient {
    type Err = SealError;

    fn from_str(text: &str) -> SealResult<Self> {
        let key = PUBLIC.decode(text).ok_or(SealError::RecipientForm)?;
        Ok(Self(*key))
    }
}

impl fmt::Display for X25519Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&PUBLIC.encode(&self.0))
    }
}

/// The private half of a key. Wiped when dropped, printed only by [`X25519Identity::to_text`].
#[derive(Clone)]
pub struct X25519Identity {
    secret: Key,
    public: [u8; 32],
}

impl X25519Identity {
    /// A new random identity.
    #[must_use]
    pub fn generate() -> Self {
        let mut secret = Key::default();
        keys::fill_random(secret.as_mut_slice());
        Self::new(secret)
    }

    /// Parses `AGE-SECRET-KEY-1…` without surrounding text. `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        SECRET.decode(text).map(Self::new)
    }

    fn new(secret: Key) -> Self {
        let public = x25519(*secret, X25519_BASEPOINT_BYTES);
        Self { secret, public }
    }

    /// The recipient to seal to, which this identity can open.
    #[must_use]
    pub fn recipient(&self) -> X25519Recipient {
        X25519Recipient(self.public)
    }

    /// `AGE-SECRET-KEY-1…`, only for the file of a new identity.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        SECRET.encode(self.secret.as_slice())
    }

    /// The file key, if the stanza is for this identity.
    ///
    /// # Errors
    /// If the stanza claims to be of this type and is malformed.
    pub(crate) fn unwrap(&self, stanza: &Stanza) -> SealResult<Option<FileKey>> {
        let (share, wrapped) = parse(stanza)?;
        let wrapping = wrapping_key(&self.secret, &share, &share, &self.public);
        let wrapping = wrapping.ok_or_else(|| malformed("has an ephemeral share of small order"))?;
        Ok(FileKey::unwrap(&wrapping, &wrapped))
    }
}

impl fmt::Debug for X25519Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X25519Identity([redacted])")
    }
}

/// The ephemeral share and the wrapped file key of a stanza.
pub(crate) fn parse(stanza: &Stanza) -> SealResult<([u8; 32], [u8; keys::WRAPPED_BYTES])> {
    let [share] = stanza.arguments.as_slice() else {
        return Err(malformed("does not have exactly one argument"));
    };
    let share = stanza::decode_array(share);
    let share = share.ok_or_else(|| malformed("has an ephemeral share that is not 32 bytes of base64"))?;
    let wrapped = stanza.body.as_slice().try_into();
    Ok((share, wrapped.map_err(|_| malformed("has a body that is not 32 bytes long"))?))
}

fn malformed(problem: &'static str) -> SealError {
    SealError::Stanza { recipient: "an X25519 key", problem }
}

/// `None` if the shared secret is zero, which only happens with points of small order.
fn wrapping_key(secret: &Key, point: &[u8; 32], share: &[u8; 32], public: &[u8; 32]) -> Option<Key> {
    let shared = Zeroizing::new(x25519(**secret, *point));
    let is_zero: bool = shared.as_slice().ct_eq(&[0; 32]).into();
    let salt = [*share, *public].concat();
    (!is_zero).then(|| keys::derive(&salt, shared.as_slice(), INFO))
}
