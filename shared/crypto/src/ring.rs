//! The key ring: every key version a process may use, and the rules of their use.
//!
//! The ring refuses rather than guesses: an unknown root key, a doubled kid or a second primary version
//! fail when it is opened, not when the value they would have touched is read.

use std::collections::HashMap;
use std::fmt;

use crate::error::{Error, Result};
use crate::mac::MacKey;
use crate::secret::SecretBytes;
use crate::wrap::find_root;
use crate::{Cell, KeyVersion, Kid, Purpose, RootKey, State, WrappedVersion, seal};

/// Unwrapped key versions by kid. Immutable: after a change, open a new one from the stored versions.
pub struct KeyRing {
    versions: HashMap<Kid, KeyVersion>,
    keys: HashMap<String, Key>,
}

/// What the versions of one key have in common.
struct Key {
    purpose: Purpose,
    primary: Option<Kid>,
}

impl KeyRing {
    /// Unwraps `versions`. `roots` are the current root key, then previous ones.
    ///
    /// Destroyed versions are kept as tombstones; what they still hold as `wrapped` is not looked at.
    ///
    /// # Errors
    /// [`Error::UnknownRootKey`] if a version's root key is not among `roots`, [`Error::Unwrap`] if a record
    /// was changed, and [`Error::DuplicateVersion`], [`Error::TwoPrimaries`] or [`Error::MixedPurposes`] if
    /// the records contradict each other.
    pub fn open(roots: &[&RootKey], versions: &[WrappedVersion]) -> Result<Self> {
        let mut ring = Self { versions: HashMap::new(), keys: HashMap::new() };
        for stored in versions {
            let version = match stored.state {
                State::Destroyed => KeyVersion::tombstone(stored),
                _ => KeyVersion::open(find_root(roots, stored)?, stored)?,
            };
            ring.add(version)?;
        }
        Ok(ring)
    }

    fn add(&mut self, version: KeyVersion) -> Result<()> {
        let (kid, key_id) = (version.kid(), version.key_id().to_owned());
        let key =
            self.keys.entry(key_id.clone()).or_insert(Key { purpose: version.purpose(), primary: None });
        if key.purpose != version.purpose() {
            return Err(Error::MixedPurposes { key_id });
        }
        if version.state() == State::Primary && key.primary.replace(kid).is_some() {
            return Err(Error::TwoPrimaries { key_id });
        }
        if self.versions.insert(kid, version).is_some() {
            return Err(Error::DuplicateVersion { kid });
        }
        Ok(())
    }

    /// Lets the versions that `earlier` has, too, go on with its counters: a ring that replaces another one in the same
    /// process forgets nothing.
    pub fn continue_counting(&mut self, earlier: &Self) {
        for (kid, version) in &mut self.versions {
            if let Some(same) = earlier.version(*kid) {
                version.share_usage(same);
            }
        }
    }

    /// The version that seals for the key.
    ///
    /// # Errors
    /// [`Error::NoPrimary`] if the key is unknown or has no such version.
    pub fn primary(&self, key_id: &str) -> Result<&KeyVersion> {
        self.keys
            .get(key_id)
            .and_then(|key| key.primary)
            .and_then(|kid| self.version(kid))
            .ok_or_else(|| Error::NoPrimary { key_id: key_id.to_owned() })
    }

    /// A version by its id, in whatever state.
    #[must_use]
    pub fn version(&self, kid: Kid) -> Option<&KeyVersion> {
        self.versions.get(&kid)
    }

    /// What the key is for; `None` if there is no such key.
    #[must_use]
    pub fn purpose(&self, key_id: &str) -> Option<Purpose> {
        self.keys.get(key_id).map(|key| key.purpose)
    }

    /// Every version, in no order.
    pub fn versions(&self) -> impl Iterator<Item = &KeyVersion> {
        self.versions.values()
    }

    /// Seals `plaintext` (0 bytes to [`crate::MAX_VALUE_BYTES`]) with the primary version of the key, for
    /// `cell` only. Sealing the same again gives another text.
    ///
    /// # Errors
    /// [`Error::NoPrimary`], [`Error::WrongPurpose`] if the key does not serve the cell's purpose,
    /// [`Error::TooLarge`].
    pub fn seal(&self, key_id: &str, cell: &Cell<'_>, plaintext: &[u8]) -> Result<String> {
        let version = self.primary(key_id)?;
        let key = version.sealing(cell.purpose)?;
        let sealed = seal::seal(key, version.kid(), cell, plaintext)?;
        version.usage().sealed();
        Ok(sealed)
    }

    /// Opens what [`KeyRing::seal`] made, with the version the text names.
    ///
    /// `purpose` is what the caller is allowed to open: it must be the cell's and the version's, so that a
    /// cell made from someone's input cannot reach another purpose's values.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::UnknownVersion`], [`Error::WrongPurpose`], [`Error::Unusable`] if the
    /// version is disabled, scheduled or destroyed, and [`Error::Open`] if the value does not open here.
    pub fn open_value(&self, purpose: Purpose, cell: &Cell<'_>, sealed: &str) -> Result<SecretBytes> {
        let version = self.expect_version(seal::parse_kid(sealed)?)?;
        let key = version.sealing(purpose)?;
        // Again with the cell's own: both have to be the version's purpose.
        version.sealing(cell.purpose)?;
        let opened = seal::open(key, cell, sealed)?;
        version.usage().opened();
        Ok(opened)
    }

    /// The MAC key of a version.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`], [`Error::WrongPurpose`], [`Error::Unusable`].
    pub fn mac_key(&self, kid: Kid, purpose: Purpose) -> Result<MacKey> {
        Ok(self.expect_version(kid)?.mac(purpose)?.clone())
    }

    fn expect_version(&self, kid: Kid) -> Result<&KeyVersion> {
        self.version(kid).ok_or(Error::UnknownVersion { kid })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing([redacted])")
    }
}
