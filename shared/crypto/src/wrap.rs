//! Wrapping key versions under the root key, and using unwrapped versions.
//!
//! A new root key re-wraps these few records and nothing else. For this reason the root key does not seal
//! values itself.

use std::fmt;
use std::sync::Arc;

use crate::body::SealingKey;
use crate::error::{Error, Result};
use crate::mac::MacKey;
use crate::secret::KeyBytes;
use crate::signing::SigningKey;
use crate::usage::Usage;
use crate::{Kid, Purpose, RootKey, RootKeyId, State, WrappedVersion, aad, random};

/// First part of the text form, and first authenticated field.
const FORMAT: &str = "srk1";

/// One unwrapped version of a key. Its key material is accessible only through [`crate::KeyRing`].
pub struct KeyVersion {
    key_id: String,
    purpose: Purpose,
    kid: Kid,
    number: u32,
    state: State,
    /// `None` once destroyed.
    keys: Option<Keys>,
    /// Shared with the same version of later rings.
    usage: Arc<Usage>,
}

/// The keys derived from a version's bytes, once, when the ring is opened.
struct Keys {
    sealing: SealingKey,
    mac: MacKey,
    /// Only in versions of the purpose `signing`.
    signing: Option<SigningKey>,
}

impl KeyVersion {
    /// Generates 32 random bytes and a random kid, and wraps the bytes: the new primary version of `key_id`.
    ///
    /// The result is for the store; [`crate::KeyRing::open`] makes it usable.
    #[must_use]
    pub fn create(root: &RootKey, key_id: &str, purpose: Purpose, number: u32) -> WrappedVersion {
        let mut version = WrappedVersion {
            key_id: key_id.to_owned(),
            purpose,
            kid: Kid::random(),
            number,
            state: State::Primary,
            root_key_id: root.id(),
            wrapped: String::new(),
        };
        version.wrapped = wrap(root, &version, &random::key());
        version
    }

    /// Rewraps the version under `to`: its bytes, kid, number and state stay the same. `roots` are the root
    /// keys that may wrap it now. A destroyed version is returned unchanged.
    ///
    /// # Errors
    /// [`Error::UnknownRootKey`] if its root key is not among `roots`, [`Error::Unwrap`] if the record was
    /// changed.
    pub fn rewrap(roots: &[&RootKey], stored: &WrappedVersion, to: &RootKey) -> Result<WrappedVersion> {
        let mut version = stored.clone();
        if stored.state == State::Destroyed {
            return Ok(version);
        }
        let from = find_root(roots, stored)?;
        let bytes = unwrap(from, stored).ok_or(Error::Unwrap { kid: stored.kid })?;
        version.root_key_id = to.id();
        version.wrapped = wrap(to, &version, &bytes);
        Ok(version)
    }

    /// Unwraps a stored version that is not destroyed.
    pub(crate) fn open(root: &RootKey, stored: &WrappedVersion) -> Result<Self> {
        let bytes = unwrap(root, stored).ok_or(Error::Unwrap { kid: stored.kid })?;
        let keys = Keys {
            sealing: SealingKey::derive(&bytes),
            mac: MacKey::derive(&bytes, "strongroom/v1/mac"),
            signing: (stored.purpose == Purpose::Signing).then(|| SigningKey::derive(&bytes)),
        };
        Ok(Self { keys: Some(keys), ..Self::tombstone(stored) })
    }

    /// A version without its key material.
    pub(crate) fn tombstone(stored: &WrappedVersion) -> Self {
        Self {
            key_id: stored.key_id.clone(),
            purpose: stored.purpose,
            kid: stored.kid,
            number: stored.number,
            state: stored.state,
            keys: None,
            usage: Arc::default(),
        }
    }

    /// The key that it is a version of.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The purpose of the key.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Its id.
    #[must_use]
    pub fn kid(&self) -> Kid {
        self.kid
    }

    /// Its number among the versions of its key.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Its state in the life cycle.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Its use in this process.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Continues the counters of `earlier`, the same version in another ring.
    pub(crate) fn share_usage(&mut self, earlier: &Self) {
        self.usage = Arc::clone(&earlier.usage);
    }

    /// The key that seals values, if the purpose and the state allow it.
    pub(crate) fn sealing(&self, purpose: Purpose) -> Result<&SealingKey> {
        Ok(&self.keys(purpose)?.sealing)
    }

    /// The key that computes MACs, if the purpose and the state allow it.
    pub(crate) fn mac(&self, purpose: Purpose) -> Result<&MacKey> {
        Ok(&self.keys(purpose)?.mac)
    }

    /// The key that signs, if the purpose and the state allow it.
    pub(crate) fn signing(&self) -> Result<&SigningKey> {
        let keys = self.keys(Purpose::Signing)?;
        Ok(keys.signing.as_ref().expect("a version of this purpose derives it when it is opened"))
    }

    fn keys(&self, asked: Purpose) -> Result<&Keys> {
        let (kid, serves, state) = (self.kid, self.purpose, self.state);
        if asked != serves {
            return Err(Error::WrongPurpose { kid, serves, asked });
        }
        match &self.keys {
            Some(keys) if state.is_usable() => Ok(keys),
            _ => Err(Error::Unusable { kid, state }),
        }
    }
}

impl fmt::Debug for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyVersion")
            .field("key_id", &self.key_id)
            .field("purpose", &self.purpose)
            .field("kid", &self.kid)
            .field("number", &self.number)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// The root key that wraps `stored`.
pub(crate) fn find_root<'r>(roots: &[&'r RootKey], stored: &WrappedVersion) -> Result<&'r RootKey> {
    for &root in roots {
        if root.id() == stored.root_key_id {
            return Ok(root);
        }
    }
    let given: Vec<String> = roots.iter().map(|root| root.id().to_string()).collect();
    Err(Error::UnknownRootKey {
        kid: stored.kid,
        wrapped_by: stored.root_key_id.clone(),
        given: given.join(", "),
    })
}

fn wrap(root: &RootKey, version: &WrappedVersion, bytes: &KeyBytes) -> String {
    let mut text = format!("{FORMAT}.{}.", root.id());
    let aad = wrapping_aad(version, &root.id());
    SealingKey::derive(&root.derive("wrap")).seal(&aad, bytes.expose(), &mut text);
    text
}

fn unwrap(root: &RootKey, version: &WrappedVersion) -> Option<KeyBytes> {
    let body = strip_head(&version.wrapped, &root.id())?;
    let aad = wrapping_aad(version, &root.id());
    let opened = SealingKey::derive(&root.derive("wrap")).open(&aad, body).ok()?;
    let bytes: &[u8; 32] = opened.expose().try_into().ok()?;
    Some(KeyBytes::new(*bytes))
}

/// The rest of the text after `srk1.<root key id>.`, if it names that root key.
fn strip_head<'t>(wrapped: &'t str, root_key_id: &RootKeyId) -> Option<&'t str> {
    wrapped.strip_prefix(FORMAT)?.strip_prefix('.')?.strip_prefix(root_key_id.as_str())?.strip_prefix('.')
}

fn wrapping_aad(version: &WrappedVersion, root_key_id: &RootKeyId) -> Vec<u8> {
    let kid = version.kid.to_string();
    let purpose = version.purpose.as_str();
    aad::encode(&[FORMAT, "ring", purpose, &version.key_id, &kid, root_key_id.as_str()])
}
