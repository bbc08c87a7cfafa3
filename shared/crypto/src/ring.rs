//! The key ring: every key version that a process can use, and the rules for using it.
//!
//! The ring refuses ambiguity when it is opened: an unknown root key, a duplicate kid and a second primary
//! version fail then, not when an affected value is read.

use std::collections::HashMap;
use std::fmt;

use crate::error::{Error, Result};
use crate::mac::MacKey;
use crate::secret::SecretBytes;
use crate::wrap::find_root;
use crate::{Cell, KeyVersion, Kid, Purpose, RootKey, State, WrappedVersion, seal};

/// Unwrapped key versions by kid. Immutable: after a change, open a new ring from the stored versions.
pub struct KeyRing {
    versions: HashMap<Kid, KeyVersion>,
    keys: HashMap<String, Key>,
}

/// Properties shared by the versions of one key.
struct Key {
    purpose: Purpose,
    primary: Option<Kid>,
}

impl KeyRing {
    /// Unwraps `versions`. `roots` are the current root key, then previous ones.
    ///
    /// Destroyed versions are kept as tombstones; any remaining `wrapped` text of theirs is ignored.
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

    /// Makes versions that are also in `earlier` continue its counters: a ring that replaces another in the
    /// same process loses no counts.
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

    /// A version by its id, in any state.
    #[must_use]
    pub fn version(&self, kid: Kid) -> Option<&KeyVersion> {
        self.versions.get(&kid)
    }

    /// The purpose of the key; `None` if the key does not exist.
    #[must_use]
    pub fn purpose(&self, key_id: &str) -> Option<Purpose> {
        self.keys.get(key_id).map(|key| key.purpose)
    }

    /// Every version, in no particular order.
    pub fn versions(&self) -> impl Iterator<Item = &KeyVersion> {
        self.versions.values()
    }

    /// Seals `plaintext` (0 bytes to [`crate::MAX_VALUE_BYTES`]) for `cell` only, with the primary version of
    /// the key. Sealing the same value again produces another text.
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

    /// Opens a value sealed by [`KeyRing::seal`], with the version named in the text.
    ///
    /// `purpose` is the purpose that the caller is allowed to use. It must equal the cell's and the
    /// version's, so that a cell built from untrusted input cannot reach values of another purpose.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::UnknownVersion`], [`Error::WrongPurpose`], [`Error::Unusable`] if the
    /// version is disabled, scheduled or destroyed, and [`Error::Open`] if the value does not open here.
    pub fn open_value(&self, purpose: Purpose, cell: &Cell<'_>, sealed: &str) -> Result<SecretBytes> {
        let version = self.expect_version(seal::parse_kid(sealed)?)?;
        let key = version.sealing(purpose)?;
        // The cell's purpose must match the version's too.
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
