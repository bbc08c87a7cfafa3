//! What can go wrong, by what the reader can do about it.
//!
//! No variant carries a secret or the text that failed to parse, and a failed tag never says why: the
//! difference between "wrong key" and "changed bytes" would help only an attacker.

use crate::{Kid, MAX_VALUE_BYTES, Purpose, RootKeyId, State};

/// The result of everything fallible in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every error of this crate. Root key ids, kids and key ids in messages are public.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text of a root key has the wrong form.
    #[error("not a root key: expected `base64:` and 44 characters (32 bytes in standard base64, padded)")]
    RootKeyForm,

    /// The root key is a valid one, but another vault's.
    #[error(
        "the root key given is not the one this vault was created with (the given one has the id \
         {given}); give the original root key, or this one together with the original as a previous one"
    )]
    WrongRootKey {
        /// Id of the root key that was given.
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
        /// Id of the root key that is needed.
        wrapped_by: RootKeyId,
        /// Ids of the root keys that were given, separated by commas.
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
        "the archive is sealed to the root key {wrapped_by}, and only {given} was given. In place of a vault that is lost, start \
         a new one with the root key {wrapped_by} and an empty database. Of this vault's own former root key, give \
         {wrapped_by} too, as a previous root key. An archive of another vault is sealed to this one with its recovery key \
         (`strongroom archive reseal`)"
    )]
    NoRootForSeal {
        /// Id of the root key that is needed.
        wrapped_by: RootKeyId,
        /// Ids of the root keys that were given, separated by commas.
        given: String,
    },

    /// A wrapped file key does not open under the root key it names.
    #[error("the archive's file key does not unwrap under its root key: the seal was changed")]
    UnwrapFileKey,

    /// Two versions of a ring have the same kid.
    #[error("the key ring has the key version {kid} twice; keep one of the two records")]
    DuplicateVersion {
        /// The kid they share.
        kid: Kid,
    },

    /// Two versions of a key claim to be its primary one.
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

    /// The key has no version to seal with.
    #[error("the key {key_id} has no primary version; create or rotate the key")]
    NoPrimary {
        /// The key concerned.
        key_id: String,
    },

    /// The ring does not have the version that a value names.
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
        /// Disabled, scheduled or destroyed.
        state: State,
    },

    /// The version serves another purpose than the one asked for.
    #[error("the key version {kid} serves the purpose {serves}, not {asked}")]
    WrongPurpose {
        /// The version concerned.
        kid: Kid,
        /// What it is for.
        serves: Purpose,
        /// What the caller wanted it for.
        asked: Purpose,
    },

    /// A text does not have the form of what it should be.
    #[error("not a {what}: expected {expected}")]
    Malformed {
        /// What the text should have been.
        what: &'static str,
        /// Its form.
        expected: &'static str,
    },

    /// A sealed value does not open. Deliberately without a reason.
    #[error("the sealed value does not open: it was changed, moved from its place, or sealed by another key")]
    Open,

    /// The plaintext, or what a sealed text would open to, is too long.
    #[error("a value of {bytes} bytes is too long to seal; the limit is {MAX_VALUE_BYTES} bytes")]
    TooLarge {
        /// Length of the plaintext in bytes.
        bytes: usize,
    },

    /// A signature does not belong to the document, the domain or the public key.
    #[error("the signature does not verify: the document was changed, or another key signed it")]
    Signature,

    /// The text is not an API token.
    #[error("not a Strongroom token (expected srt_ and 46 letters and digits, with a valid checksum)")]
    NotAToken,
}
