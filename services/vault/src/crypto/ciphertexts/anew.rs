//! Values that an archive's ring sealed under another root key: opened with that ring, and sealed again with this
//! vault's own keys. Plaintexts are wiped before a call returns, and none leaves.

use std::collections::BTreeSet;
use std::sync::Arc;

use strongroom_crypto::{KeyRing, KeyVersion};
use strongroom_runtime::Caller;

use super::batch::{self, Item};
use super::caller_keys::CallerKeys;
use super::{Ciphertext, Ciphertexts, Outcomes, Sealed};
use crate::audit::Event;
use crate::error::Result;
use crate::store::Outcome;

/// A sealed value and the ring that it is sealed again with.
struct Moved {
    sealed: Sealed,
    live: Arc<KeyRing>,
}

impl Item for Moved {
    fn key_id(&self) -> &str {
        self.sealed.key_id()
    }

    fn bytes(&self) -> usize {
        self.sealed.bytes()
    }
}

/// Totals over one stream.
#[derive(Default)]
pub(crate) struct AnewTotals {
    count: usize,
    failures: usize,
}

impl Ciphertexts {
    /// Keys that `items` name and `joined` has, but this vault lacks.
    ///
    /// # Errors
    /// Those of [`Self::seal_anew`], so no key is created for items that are then refused.
    pub(crate) fn missing_keys(&self, joined: &KeyRing, items: &[Sealed]) -> Result<BTreeSet<String>> {
        batch::check_size(items)?;
        let live = self.ring.current();
        let named = items.iter().map(|item| item.key_id.as_str());
        let missing =
            named.filter(|key_id| joined.purpose(key_id).is_some() && live.purpose(key_id).is_none());
        Ok(missing.map(str::to_owned).collect())
    }

    /// Seals up to 1,000 values again under this vault's own keys, in order. `joined` also has the archive's keys.
    pub(crate) async fn seal_anew(
        &self,
        caller: &Caller,
        joined: &Arc<KeyRing>,
        items: Vec<Sealed>,
        totals: &mut AnewTotals,
    ) -> Result<Outcomes<Ciphertext>> {
        batch::check_size(&items)?;
        let live = self.ring.current();
        let moved = items.into_iter().map(|sealed| Moved { sealed, live: Arc::clone(&live) }).collect();
        let keys = CallerKeys::new(Arc::clone(joined), caller.clone());
        let (_, outcomes) = batch::run(keys, moved, seal_anew).await?;
        totals.count += outcomes.len();
        totals.failures += outcomes.iter().filter(|outcome| outcome.is_err()).count();
        Ok(outcomes)
    }

    /// Commits the event of a finished stream, in which `granter` acted through a service.
    pub(crate) async fn finish_anew(
        &self,
        granter: &Caller,
        restore_id: &str,
        totals: &AnewTotals,
        outcome: Outcome,
    ) -> Result<()> {
        let event = Event::by(granter, self.clock.now_micros(), "crypto.sealed_anew", restore_id)
            .outcome(outcome)
            .with("count", totals.count)
            .with("failures", totals.failures)
            .finish();
        self.uses.commit(event, None).await
    }
}

fn seal_anew(keys: &CallerKeys, moved: &Moved) -> Result<Ciphertext> {
    let opened = keys.decrypt(&moved.sealed)?;
    let primary = moved.live.primary(&moved.sealed.key_id).map(KeyVersion::kid);
    if primary.is_ok_and(|kid| kid == opened.kid) {
        return Ok(Ciphertext { text: moved.sealed.ciphertext.clone(), kid: opened.kid });
    }
    let Sealed { key_id, aad, .. } = &moved.sealed;
    keys.under(&moved.live).seal(key_id, aad, opened.plaintext.expose())
}
