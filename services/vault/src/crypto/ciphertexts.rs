//! Values of other services: sealing and opening them on caller keys. The vault keeps none of them.
//!
//! What opens a value, or hands out a key, has one event a call, committed before the answer leaves. Encrypt
//! has none: the caller knows the plaintext already, nothing in the vault changes, and the budget of a
//! durable commit would be spent on telling that somebody sealed something. Only a refused Encrypt is told.

mod batch;
mod check;
mod keys;

use bytes::Bytes;
use strongroom_crypto::{Kid, SecretBytes};
use strongroom_runtime::Caller;

use crate::error::{Error, Result};
use crate::vault::Vault;
use batch::{Item, Tally};
pub(crate) use check::{CheckTotals, Checked, Verdict};
use keys::CallerKeys;

/// A value to be sealed.
pub(crate) struct Plain {
    pub(crate) key_id: String,
    /// 0 to 65,536 bytes.
    pub(crate) plaintext: Bytes,
    /// 0 to 1,024 bytes.
    pub(crate) aad: Bytes,
}

/// A sealed value, with what it is said to be sealed for.
pub(crate) struct Sealed {
    pub(crate) key_id: String,
    pub(crate) ciphertext: String,
    pub(crate) aad: Bytes,
}

/// A data key asked for.
pub(crate) struct DataKeyOrder {
    pub(crate) key_id: String,
    pub(crate) aad: Bytes,
    /// Only the sealed form is wanted.
    pub(crate) sealed_only: bool,
}

/// What sealing gives.
pub(crate) struct Ciphertext {
    pub(crate) text: String,
    pub(crate) kid: Kid,
}

/// A plaintext on its way out.
pub(crate) struct Opened {
    pub(crate) plaintext: SecretBytes,
    pub(crate) kid: Kid,
}

/// A data key on its way out.
pub(crate) struct DataKey {
    /// `None` where only the sealed form was wanted.
    pub(crate) plaintext: Option<SecretBytes>,
    pub(crate) sealed: Ciphertext,
}

/// One outcome for each item, in their order.
pub(crate) type Outcomes<T> = Vec<Result<T>>;

const ENCRYPTED: &str = "crypto.encrypted";
const DECRYPTED: &str = "crypto.decrypted";
const REWRAPPED: &str = "crypto.rewrapped";
const DATA_KEY_GENERATED: &str = "crypto.data_key_generated";

impl Vault {
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

    /// The keys as they are now; looked at again if an item names what this process does not know yet, because
    /// another one may have made it a moment ago.
    async fn caller_keys<I: Item>(&self, caller: &Caller, items: &[I]) -> Result<CallerKeys> {
        let ring = self.ring();
        if items.iter().any(|item| !item.is_known_to(&ring)) {
            self.reload_ring().await?;
        }
        Ok(CallerKeys::new(self.ring(), caller.clone()))
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
        // Nothing was tried when a field cannot be accepted.
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

    /// Commits the event of one call, which may have had many items.
    async fn record(&self, caller: &Caller, event: &'static str, tally: &Tally) -> Result<()> {
        if event == ENCRYPTED && !tally.was_denied() {
            return Ok(());
        }
        let event = tally.describe(self.event(caller, event, tally.target()));
        self.log.commit(event.finish(), None).await
    }
}
