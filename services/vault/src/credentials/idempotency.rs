//! Request ids (AIP-155): a client that got no answer asks again, and it is done once.
//!
//! What was asked for is kept as a keyed digest. A bare one would let whoever reads the table guess a weak secret.

use serde_json::{Value, json};
use strongroom_crypto::{Kid, MacKey, Purpose};
use strongroom_runtime::Caller;

use crate::error::{Error, Result};
use crate::keys::PAGE_KEY;
use crate::store::RequestRow;
use crate::vault::Vault;

/// Everything that makes a request the same one, besides its id.
pub(crate) struct Fingerprint<'a> {
    /// In a fixed order.
    pub(crate) fields: Value,
    pub(crate) secret: &'a [u8],
}

impl Fingerprint<'_> {
    fn digest(&self, key: &MacKey) -> String {
        let secret = hex::encode(key.mac(self.secret));
        hex::encode(key.mac(json!(["request", self.fields, secret]).to_string().as_bytes()))
    }
}

impl Vault {
    /// The row that claims `request_id` for what is about to be done.
    pub(crate) fn new_request(
        &self,
        caller: &Caller,
        method: &str,
        request_id: &str,
        fingerprint: &Fingerprint<'_>,
        result_id: &str,
    ) -> Result<RequestRow> {
        let ring = self.ring();
        let kid = ring.primary(PAGE_KEY)?.kid();
        let digest = fingerprint.digest(&ring.mac_key(kid, Purpose::Page)?);
        Ok(RequestRow {
            principal: caller.principal.id.clone(),
            method: method.to_owned(),
            request_id: request_id.to_owned(),
            digest: format!("{kid}.{digest}"),
            result_id: result_id.to_owned(),
            create_time: self.now(),
        })
    }

    /// What the earlier request made, if it asked for the same.
    pub(crate) fn same_request(&self, earlier: RequestRow, fingerprint: &Fingerprint<'_>) -> Result<String> {
        let broken = || Error::Inconsistent(format!("requests.digest of {}", earlier.request_id));
        let (kid, digest) = earlier.digest.split_once('.').ok_or_else(broken)?;
        // The key may have been rotated since.
        let key = self.ring().mac_key(kid.parse::<Kid>()?, Purpose::Page)?;
        if fingerprint.digest(&key) != digest {
            return Err(Error::RequestIdReused(earlier.request_id));
        }
        Ok(earlier.result_id)
    }
}
