//! Values of other services, sealed and opened with caller keys. The vault stores none of them.
//!
//! A call that opens values or generates data keys has one event, committed before the answer leaves. Encrypt has none:
//! the caller already knows the plaintext, nothing in the vault changes, and a durable commit would cost too much. Only
//! a refused Encrypt is recorded.
//!
//! Limits on a single value are checked here, not in `grpc`, because in a batch a refused item is that item's result.

mod anew;
mod batch;
mod caller_keys;
mod check;

use std::sync::Arc;

use bytes::Bytes;
use strongroom_crypto::{Kid, SecretBytes};
use strongroom_runtime::{Caller, Clock};

use crate::audit::{Event, UseLog};
use crate::error::{Error, Result};
use crate::keys::Ring;
pub(crate) use anew::AnewTotals;
use batch::{Item, Tally};
use caller_keys::CallerKeys;
pub(crate) use check::{CheckTotals, Checked, Verdict};

/// A value to be sealed.
pub(crate) struct Plain {
    pub(crate) key_id: String,
    /// 0 to 65,536 bytes.
    pub(crate) plaintext: Bytes,
    /// 0 to 1,024 bytes.
    pub(crate) aad: Bytes,
}

/// A sealed value, with the key and additional data that the caller gives for it.
pub(crate) struct Sealed {
    pub(crate) key_id: String,
    pub(crate) ciphertext: String,
    pub(crate) aad: Bytes,
}

/// A request for a data key.
pub(crate) struct DataKeyOrder {
    pub(crate) key_id: String,
    pub(crate) aad: Bytes,
    /// Only the sealed form is returned.
    pub(crate) sealed_only: bool,
}

/// A value that was sealed.
pub(crate) struct Ciphertext {
    pub(crate) text: String,
    pub(crate) kid: Kid,
}

/// A plaintext for the caller.
pub(crate) struct Opened {
    pub(crate) plaintext: SecretBytes,
    pub(crate) kid: Kid,
}

/// A data key for the caller.
pub(crate) struct DataKey {
    /// `None` if only the sealed form was requested.
    pub(crate) plaintext: Option<SecretBytes>,
    pub(crate) sealed: Ciphertext,
}

/// One outcome for each item, in order.
pub(crate) type Outcomes<T> = Vec<Result<T>>;

const ENCRYPTED: &str = "crypto.encrypted";
const DECRYPTED: &str = "crypto.decrypted";
const REWRAPPED: &str = "crypto.rewrapped";
const DATA_KEY_GENERATED: &str = "crypto.data_key_generated";

/// Operations on caller keys.
pub(crate) struct Ciphertexts {
    ring: Arc<Ring>,
    uses: Arc<UseLog>,
    clock: Arc<dyn Clock>,
}

impl Ciphertexts {
    pub(crate) fn new(ring: Arc<Ring>, uses: Arc<UseLog>, clock: Arc<dyn Clock>) -> Self {
        Self { ring, uses, clock }
    }

    pub(crate) async fn encrypt(&self, caller: &Caller, plain: &Plain) -> Result<Ciphertext> {
        self.one(caller, ENCRYPTED, plain, CallerKeys::encrypt).await
    }

    pub(crate) async fn decrypt(&self, caller: &Caller, sealed: &Sealed) -> Result<Opened> {
        self.one(caller, DECRYPTED, sealed, CallerKeys::decrypt).await
    }

    pub(crate) async fn rewrap(&self, caller: &Caller, sealed: &Sealed) -> Result<Ciphertext> {
        self.one(caller, REWRAPPED, sealed, CallerKeys::rewrap).await
    }

    pub(crate) async fn generate_data_key(&self, caller: &Caller, order: &DataKeyOrder) -> Result<DataKey> {
        self.one(caller, DATA_KEY_GENERATED, order, CallerKeys::generate_data_key).await
    }

    pub(crate) async fn encrypt_batch(
        &self,
        caller: &Caller,
        items: Vec<Plain>,
    ) -> Result<Outcomes<Ciphertext>> {
        self.batch(caller, ENCRYPTED, items, CallerKeys::encrypt).await
    }

    pub(crate) async fn decrypt_batch(
        &self,
        caller: &Caller,
        items: Vec<Sealed>,
    ) -> Result<Outcomes<Opened>> {
        self.batch(caller, DECRYPTED, items, CallerKeys::decrypt).await
    }

    pub(crate) async fn rewrap_batch(
        &self,
        caller: &Caller,
        items: Vec<Sealed>,
    ) -> Result<Outcomes<Ciphertext>> {
        self.batch(caller, REWRAPPED, items, CallerKeys::rewrap).await
    }

    pub(crate) async fn generate_data_key_batch(
        &self,
        caller: &Caller,
        items: Vec<DataKeyOrder>,
    ) -> Result<Outcomes<DataKey>> {
        self.batch(caller, DATA_KEY_GENERATED, items, CallerKeys::generate_data_key).await
    }

    /// The current keys. The ring is reloaded first if an item names a key or version that this process does not know,
    /// because another process may just have created it. A key outside the caller's selection causes no reload: the
    /// time until the refusal must not reveal whether the key exists.
    async fn caller_keys<I: Item>(&self, caller: &Caller, items: &[I]) -> Result<CallerKeys> {
        let ring = self.ring.current();
        let unknown = |item: &I| caller.principal.may_use_key(item.key_id()) && !item.is_known_to(&ring);
        if items.iter().any(unknown) {
            self.ring.reload().await?;
        }
        Ok(CallerKeys::new(self.ring.current(), caller.clone()))
    }

    async fn one<I: Item, O>(
        &self,
        caller: &Caller,
        event: &'static str,
        item: &I,
        work: fn(&CallerKeys, &I) -> Result<O>,
    ) -> Result<O> {
        let keys = self.caller_keys(caller, std::slice::from_ref(item)).await?;
        let outcome = work(&keys, item);
        // An invalid field means that nothing was attempted.
        if !matches!(outcome, Err(Error::Field { .. })) {
            let mut tally = Tally::default();
            tally.add(&keys, item.key_id(), &outcome);
            self.record(caller, event, &tally).await?;
        }
        outcome
    }

    async fn batch<I: Item, O: Send + 'static>(
        &self,
        caller: &Caller,
        event: &'static str,
        items: Vec<I>,
        work: fn(&CallerKeys, &I) -> Result<O>,
    ) -> Result<Outcomes<O>> {
        batch::check_size(&items)?;
        let (tally, outcomes) = batch::run(self.caller_keys(caller, &items).await?, items, work).await?;
        self.record(caller, event, &tally).await?;
        Ok(outcomes)
    }

    /// Commits the event of one call, which can have many items.
    async fn record(&self, caller: &Caller, event: &'static str, tally: &Tally) -> Result<()> {
        if event == ENCRYPTED && !tally.was_denied() {
            return Ok(());
        }
        let event = tally.describe(Event::by(caller, self.clock.now_micros(), event, tally.target()));
        self.uses.commit(event.finish(), None).await
    }
}
