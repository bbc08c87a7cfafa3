//! Caller keys during one call, and the operations on one value.

use std::sync::Arc;

use strongroom_crypto::{Cell, KeyRing, KeyVersion, Purpose, data_key, parse_kid};
use strongroom_runtime::Caller;

use super::{Ciphertext, DataKey, DataKeyOrder, Opened, Plain, Sealed};
use crate::error::{Error, Result};
use crate::keys::check_key_name;

const MAX_PLAINTEXT: usize = 64 * 1024;
const MAX_AAD: usize = strongroom_api::limits::AAD_BYTES;
const MAX_CIPHERTEXT: usize = strongroom_api::limits::CIPHERTEXT_BYTES;

/// The caller, and the ring as it was when the call began.
pub(super) struct CallerKeys {
    pub(super) ring: Arc<KeyRing>,
    caller: Caller,
}

impl CallerKeys {
    pub(super) fn new(ring: Arc<KeyRing>, caller: Caller) -> Self {
        Self { ring, caller }
    }

    /// The same caller under another ring.
    pub(super) fn under(&self, ring: &Arc<KeyRing>) -> Self {
        Self::new(Arc::clone(ring), self.caller.clone())
    }

    /// Whether the caller can use the key: every operation makes this check.
    fn usable_key(&self, key_id: &str) -> Result<()> {
        check_key_name("key_id", key_id)?;
        // To a narrowed token, a key outside its selection does not exist.
        if !self.caller.principal.may_use_key(key_id) {
            return Err(Error::KeyNotFound(key_id.to_owned()));
        }
        match self.ring.purpose(key_id) {
            Some(Purpose::Caller) => Ok(()),
            Some(purpose) => {
                tracing::debug!(key_id, caller = %self.caller.principal.id, "a key of the vault was asked for");
                Err(Error::KeyPurpose { key_id: key_id.to_owned(), purpose })
            }
            None => Err(Error::KeyNotFound(key_id.to_owned())),
        }
    }

    pub(super) fn encrypt(&self, plain: &Plain) -> Result<Ciphertext> {
        within("plaintext", plain.plaintext.len(), 0, MAX_PLAINTEXT)?;
        self.seal(&plain.key_id, &plain.aad, &plain.plaintext)
    }

    pub(super) fn decrypt(&self, sealed: &Sealed) -> Result<Opened> {
        check_lengths(sealed)?;
        self.usable_key(&sealed.key_id)?;
        let version = self.version_of(sealed)?;
        let row = hex::encode(&sealed.aad);
        let cell = cell(&sealed.key_id, &row);
        let opened = self.ring.open_value(Purpose::Caller, &cell, &sealed.ciphertext);
        let plaintext = opened.map_err(|error| refusal(&error))?;
        Ok(Opened { plaintext, kid: version.kid() })
    }

    pub(super) fn rewrap(&self, sealed: &Sealed) -> Result<Ciphertext> {
        let opened = self.decrypt(sealed)?;
        if self.primary(&sealed.key_id)?.kid() == opened.kid {
            return Ok(Ciphertext { text: sealed.ciphertext.clone(), kid: opened.kid });
        }
        self.seal(&sealed.key_id, &sealed.aad, opened.plaintext.expose())
    }

    pub(super) fn generate_data_key(&self, order: &DataKeyOrder) -> Result<DataKey> {
        let key = data_key();
        let sealed = self.seal(&order.key_id, &order.aad, key.expose())?;
        Ok(DataKey { plaintext: (!order.sealed_only).then_some(key), sealed })
    }

    pub(super) fn seal(&self, key_id: &str, aad: &[u8], plaintext: &[u8]) -> Result<Ciphertext> {
        within("aad", aad.len(), 0, MAX_AAD)?;
        self.usable_key(key_id)?;
        let kid = self.primary(key_id)?.kid();
        let text = self.ring.seal(key_id, &cell(key_id, &hex::encode(aad)), plaintext)?;
        Ok(Ciphertext { text, kid })
    }

    fn primary(&self, key_id: &str) -> Result<&KeyVersion> {
        self.ring.primary(key_id).map_err(|_| Error::KeyWithoutPrimary(key_id.to_owned()))
    }

    /// The version that the value names, if it belongs to the key that the caller names.
    fn version_of(&self, sealed: &Sealed) -> Result<&KeyVersion> {
        let kid = parse_kid(&sealed.ciphertext).map_err(|_| Error::CiphertextInvalid)?;
        let version = self.ring.version(kid).filter(|version| version.key_id() == sealed.key_id);
        version.ok_or(Error::CiphertextInvalid)
    }
}

/// The caller's AAD can be any bytes, so it is in hexadecimal.
fn cell<'a>(key_id: &'a str, aad: &'a str) -> Cell<'a> {
    Cell { purpose: Purpose::Caller, table: "caller", column: key_id, row: aad }
}

/// The reason why a value of the right key does not open, as far as the caller is told.
pub(super) fn refusal(error: &strongroom_crypto::Error) -> Error {
    match *error {
        strongroom_crypto::Error::Unusable { kid, state } => Error::KeyVersionUnusable { kid, state },
        _ => Error::CiphertextInvalid,
    }
}

/// Refuses a sealed value that is longer than any that this vault seals.
pub(super) fn check_lengths(sealed: &Sealed) -> Result<()> {
    within("ciphertext", sealed.ciphertext.len(), 1, MAX_CIPHERTEXT)?;
    within("aad", sealed.aad.len(), 0, MAX_AAD)
}

fn within(field: &'static str, bytes: usize, min: usize, max: usize) -> Result<()> {
    let problem = match bytes {
        0 if min > 0 => "must not be empty".to_owned(),
        _ if bytes > max => format!("has {bytes} bytes; at most {max} are allowed"),
        _ => return Ok(()),
    };
    Err(Error::Field { field, problem })
}
