//! Request ids (AIP-155): a client that got no answer repeats the request, and the vault carries it out once.
//!
//! A request is stored as a keyed digest. With a bare digest, a reader of the table could guess a weak secret.

use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_crypto::{Kid, MacKey, Purpose};
use strongroom_runtime::{Caller, Clock};

use crate::error::{Error, Result};
use crate::keys::Ring;
use crate::store::RequestRow;
use crate::store::key_names::PAGE_KEY;

/// The content of a request, except its id.
pub(super) struct Fingerprint<'a> {
    /// In a fixed order.
    pub(super) fields: Value,
    pub(super) secret: &'a [u8],
}

impl Fingerprint<'_> {
    fn digest(&self, key: &MacKey) -> String {
        let secret = hex::encode(key.mac(self.secret));
        hex::encode(key.mac(json!(["request", self.fields, secret]).to_string().as_bytes()))
    }
}

/// Recognises repeated requests.
pub(super) struct Idempotency {
    ring: Arc<Ring>,
    clock: Arc<dyn Clock>,
}

impl Idempotency {
    pub(super) fn new(ring: Arc<Ring>, clock: Arc<dyn Clock>) -> Self {
        Self { ring, clock }
    }

    /// The row that claims `request_id` for a request whose result will be `result_id`.
    pub(super) fn claim(
        &self,
        caller: &Caller,
        method: &str,
        request_id: &str,
        fingerprint: &Fingerprint<'_>,
        result_id: &str,
    ) -> Result<RequestRow> {
        let ring = self.ring.current();
        let kid = ring.primary(PAGE_KEY)?.kid();
        let digest = fingerprint.digest(&ring.mac_key(kid, Purpose::Page)?);
        Ok(RequestRow {
            principal: caller.principal.id.clone(),
            method: method.to_owned(),
            request_id: request_id.to_owned(),
            digest: format!("{kid}.{digest}"),
            result_id: result_id.to_owned(),
            create_time: self.clock.now_micros(),
        })
    }

    /// The result of the earlier request.
    ///
    /// # Errors
    /// [`Error::RequestIdReused`] if the earlier request had different content.
    pub(super) fn repeated(&self, earlier: RequestRow, fingerprint: &Fingerprint<'_>) -> Result<String> {
        let broken = || Error::Inconsistent(format!("requests.digest of {}", earlier.request_id));
        let (kid, digest) = earlier.digest.split_once('.').ok_or_else(broken)?;
        // The key may have been rotated after that request.
        let key = self.ring.current().mac_key(kid.parse::<Kid>()?, Purpose::Page)?;
        if fingerprint.digest(&key) != digest {
            return Err(Error::RequestIdReused(earlier.request_id));
        }
        Ok(earlier.result_id)
    }
}
