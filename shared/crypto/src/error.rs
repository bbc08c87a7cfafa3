//! Errors, classified by what the reader can do about them.
//!
//! No variant contains a secret or text that failed to parse, and a failed tag never says why: distinguishing
//! "wrong key" from "changed bytes" would only help an attacker.

use crate::{Kid, MAX_VALUE_BYTES, Purpose, RootKeyId, State};

/// This crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

/// Every error of this crate. Root key ids, kids and key ids in messages are public.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not a valid root key.
    #[error("not a root key: expected `base64:` and 44 characters (32 bytes in standard base64, padded)")]
    RootKeyForm,

    /// The root key is valid but belongs to another vault.
    #[error(
        "the root key given is not the one this vault was created with (the given one has the id \
         {given}); give the original root key, or this one together with the original as a previous one"
    )]
    WrongRootKey {
        /// Id of the root key given.
        given: RootKeyId,
    },

    /// A key version is wrapped by a root key that was not given.
    #[error(
        "key version {kid} is wrapped by the root key {wrapped_by}, but only {given} was given; \
         give {wrapped_by} too, as a previous root key"
    )]
    UnknownRootKey {
        /// The version concerned.
        kid: Kid,
        /// Id of the root key needed.
        wrapped_by: RootKeyId,
        /// Ids of the root keys given, separated by commas.
        given: String,
    },

    /// A wrapped key version does not open under the root key it names.
    #[error("key version {kid} does not unwrap under its root key; restore its stored record from a backup")]
    Unwrap {
        /// The version concerned.
        kid: Kid,
    },

    /// A sealed archive's file key is wrapped by a root key that was not given.
    #[error(
        "the archive is sealed to the root key {wrapped_by}, but only {given} was given. If its vault is \
         lost, start a new one with the root key {wrapped_by} and an empty database. If {wrapped_by} is a \
         former root key of this vault, give it too, as a previous root key. To seal another vault's archive \
         to this one, use its recovery key (`strongroom archive reseal`)"
    )]
    NoRootForSeal {
        /// Id of the root key needed.
        wrapped_by: RootKeyId,
        /// Ids of the root keys given, separated by commas.
        given: String,
    },

    /// A wrapped file key does not open under the root key it names.
    #[error("the archive's file key does not unwrap under its root key: the seal was changed")]
    UnwrapFileKey,

    /// Two versions of a ring have the same kid.
    #[error("the key ring has the key version {kid} twice; keep one of the two records")]
    DuplicateVersion {
        /// The shared kid.
        kid: Kid,
    },

    /// Two versions of a key claim to be primary.
    #[error("the key {key_id} has two primary versions; make one of them decrypt-only")]
    TwoPrimaries {
        /// The key concerned.
        key_id: String,
    },

    /// Versions of one key have different purposes.
    #[error("the versions of the key {key_id} disagree about its purpose; a key serves one purpose")]
    MixedPurposes {
        /// The key concerned.
        key_id: String,
    },

    /// The key has no primary version to seal with.
    #[error("the key {key_id} has no primary version; create or rotate the key")]
    NoPrimary {
        /// The key concerned.
        key_id: String,
    },

    /// The version that a value names is not in the ring.
    #[error("the key version {kid} is not in this vault's key ring")]
    UnknownVersion {
        /// The version named.
        kid: Kid,
    },

    /// The version's state does not allow its use.
    #[error("the key version {kid} is {state} and cannot be used")]
    Unusable {
        /// The version concerned.
        kid: Kid,
        /// The state: disabled, scheduled or destroyed.
        state: State,
    },

    /// The version serves a purpose other than the requested one.
    #[error("the key version {kid} serves the purpose {serves}, not {asked}")]
    WrongPurpose {
        /// The version concerned.
        kid: Kid,
        /// The version's purpose.
        serves: Purpose,
        /// The requested purpose.
        asked: Purpose,
    },

    /// A text does not have the expected form.
    #[error("not a {what}: expected {expected}")]
    Malformed {
        /// What the text should have been.
        what: &'static str,
        /// The expected form.
        expected: &'static str,
    },

    /// A sealed value does not open. Deliberately gives no reason.
    #[error("the sealed value does not open: it was changed, moved from its place, or sealed by another key")]
    Open,

    /// The plaintext, or the plaintext of a sealed text, is too long.
    #[error("a value of {bytes} bytes is too long to seal; the limit is {MAX_VALUE_BYTES} bytes")]
    TooLarge {
        /// Length of the plaintext in bytes.
        bytes: usize,
    },

    /// A signature does not match the document, the domain or the public key.
    #[error("the signature does not verify: the document was changed, or another key signed it")]
    Signature,

    /// The text is not an API token.
    #[error("not a Strongroom token (expected srt_ and 46 letters and digits, with a valid checksum)")]
    NotAToken,
}
