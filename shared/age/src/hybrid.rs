//! Post-quantum recipients `age1pq1…` and their identities `AGE-SECRET-KEY-PQ-1…`: an attacker who stores files today cannot open
//! them with a quantum computer later.
//!
//! The stanza is `mlkem768x25519` of C2SP's age specification: HPKE in base mode (RFC 9180 §5.1) with the KEM
//! MLKEM768-X25519 (X-Wing), HKDF-SHA-256 and ChaCha20-Poly1305.

use std::fmt;
use std::str::FromStr;

use hkdf::Hkdf;
use sha2::Sha256;
use x_wing::{
    CIPHERTEXT_SIZE, DecapsulationKeyRejectNonContrib, Decapsulator as _, ENCAPSULATION_KEY_SIZE,
    ENCAPSULATION_RANDOMNESS_SIZE, EncapsulationKey, KeyExport as _, TryDecapsulate as _,
};
use zeroize::Zeroizing;

use crate::error::{SealError, SealResult};
use crate::key_text;
use crate::keys::{self, FileKey, Key};
use crate::stanza::{self, Stanza};

/// The stanza's type.
pub(crate) const KIND: &str = "mlkem768x25519";
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
const PUBLIC: key_text::Form = key_text::Form::new("age1pq1");
const SECRET: key_text::Form = key_text::Form::new("AGE-SECRET-KEY-PQ-1");

/// HPKE's identifiers: `"HPKE"`, the KEM, the KDF, the AEAD.
const SUITE: &[u8] = b"HPKE\x64\x7a\x00\x01\x00\x03";

/// The public half of a post-quantum key: anyone can seal to it. Printed and parsed as `age1pq1…`, about 1,960 characters.
#[derive(Clone, PartialEq, Eq)]
pub struct HybridRecipient(EncapsulationKey);

impl HybridRecipient {
    /// Wraps the file key to this recipient under a new ephemeral key.
    pub(crate) fn wrap(&self, file_key: &FileKey) -> Stanza {
        let mut randomness = Zeroizing::new([0; ENCAPSULATION_RANDOMNESS_SIZE]);
        keys::fill_random(randomness.as_mut_slice());
        let (share, shared) = self.0.encapsulate_deterministic((&*randomness).into());
        let shared = Zeroizing::new(shared.0);
        Stanza::new(KIND, vec![stanza::encode(&share)], seal(&shared, file_key))
    }
}

impl FromStr for HybridRecipient {
    type Err = SealError;

    fn from_str(text: &str) -> SealResult<Self> {
        let bytes = PUBLIC.decode::<ENCAPSULATION_KEY_SIZE>(text).ok_or(SealError::RecipientForm)?;
        EncapsulationKey::try_from(bytes.as_slice()).map(Self).map_err(|_| SealError::RecipientForm)
    }
}

impl fmt::Display for HybridRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&PUBLIC.encode(&self.0.to_bytes()))
    }
}

impl fmt::Debug for HybridRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HybridRecipient({self})")
    }
}

/// The private half of a post-quantum key. Wiped when dropped, and printed only by [`HybridIdentity::to_text`].
pub struct HybridIdentity {
    seed: Key,
    key: DecapsulationKeyRejectNonContrib,
}

impl HybridIdentity {
    /// A new random identity.
    #[must_use]
    pub fn generate() -> Self {
        let mut seed = Key::default();
        keys::fill_random(seed.as_mut_slice());
        Self::new(seed)
    }

    /// Parses `AGE-SECRET-KEY-PQ-1…` without surrounding text. `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        SECRET.decode(text).map(Self::new)
    }

    fn new(seed: Key) -> Self {
        let key = DecapsulationKeyRejectNonContrib::from(*seed);
        Self { seed, key }
    }

    /// The recipient to seal to, which this identity can open.
    #[must_use]
    pub fn recipient(&self) -> HybridRecipient {
        HybridRecipient(self.key.encapsulation_key().clone())
    }

    /// `AGE-SECRET-KEY-PQ-1…`, only for the file of a new identity.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        SECRET.encode(self.seed.as_slice())
    }

    /// The file key, if the stanza is for this identity.
    ///
    /// # Errors
    /// If the stanza claims to be of this type and is malformed.
    pub(crate) fn unwrap(&self, stanza: &Stanza) -> SealResult<Option<FileKey>> {
        let (share, wrapped) = parse(stanza)?;
        let shared = self.key.try_decapsulate((&share).into());
        let shared = shared.map_err(|_| malformed("has an ephemeral share of small order"))?;
        Ok(open(&Zeroizing::new(shared.0), &wrapped))
    }
}

impl fmt::Debug for HybridIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HybridIdentity([redacted])")
    }
}

/// The ephemeral share and the wrapped file key of a stanza.
pub(crate) fn parse(stanza: &Stanza) -> SealResult<([u8; CIPHERTEXT_SIZE], [u8; keys::WRAPPED_BYTES])> {
    let [share] = stanza.arguments.as_slice() else {
        return Err(malformed("does not have exactly one argument"));
    };
    let share = stanza::decode_array(share);
    let share = share.ok_or_else(|| malformed("has an ephemeral share that is not 1120 bytes of base64"))?;
    let wrapped = stanza.body.as_slice().try_into();
    Ok((share, wrapped.map_err(|_| malformed("has a body that is not 32 bytes long"))?))
}

fn malformed(problem: &'static str) -> SealError {
    SealError::Stanza { recipient: "a post-quantum key", problem }
}

/// HPKE's `Seal` of the first message, without associated data.
fn seal(shared: &Key, file_key: &FileKey) -> Vec<u8> {
    let (key, nonce) = schedule(shared);
    file_key.wrap_at(&key, &nonce)
}

/// HPKE's `Open` of the first message. `None` if the share was for another key.
fn open(shared: &Key, wrapped: &[u8; keys::WRAPPED_BYTES]) -> Option<FileKey> {
    let (key, nonce) = schedule(shared);
    FileKey::unwrap_at(&key, &nonce, wrapped)
}

/// HPKE's `KeySchedule` in base mode. The first message's nonce is the base nonce.
fn schedule(shared: &Key) -> (Key, [u8; 12]) {
    let psk_id = extract(&[], b"psk_id_hash", &[]).0;
    let info = extract(&[], b"info_hash", INFO).0;
    let context = [&[0][..], &psk_id, &info].concat();
    let (_, secret) = extract(shared.as_slice(), b"secret", &[]);
    (Zeroizing::new(expand(&secret, b"key", &context)), expand(&secret, b"base_nonce", &context))
}

/// `LabeledExtract` (RFC 9180 §4).
fn extract(salt: &[u8], label: &[u8], secret: &[u8]) -> (Zeroizing<Vec<u8>>, Hkdf<Sha256>) {
    let labeled = Zeroizing::new([b"HPKE-v1", SUITE, label, secret].concat());
    let (extracted, hkdf) = Hkdf::extract(Some(salt), &labeled);
    (Zeroizing::new(extracted.to_vec()), hkdf)
}

/// `LabeledExpand` (RFC 9180 §4).
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &[u8], info: &[u8]) -> [u8; N] {
    let length = u16::try_from(N).expect("keys and nonces are short").to_be_bytes();
    let mut expanded = [0; N];
    let info = [&length[..], b"HPKE-v1", SUITE, label, info].concat();
    secret.expand(&info, &mut expanded).expect("keys and nonces are far below the limit of 255 blocks");
    expanded
}
