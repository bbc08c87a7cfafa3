//! Batches: limits, choice of thread, and totals for the call's event.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use strongroom_crypto::{KeyRing, parse_kid};

use super::caller_keys::CallerKeys;
use super::{DataKeyOrder, Outcomes, Plain, Sealed};
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::store::Outcome;

pub(super) const MAX_ITEMS: usize = strongroom_api::limits::BATCH_ITEMS;
const MAX_BYTES: usize = 4 << 20;

/// Limits of a batch that runs on the calling thread: a larger one (more than about 0.1 ms of work) would delay that
/// thread's other calls.
const INLINE_ITEMS: usize = 32;
const INLINE_BYTES: usize = 64 * 1024;

/// One item of a call.
pub(super) trait Item: Send + 'static {
    fn key_id(&self) -> &str;
    /// Bytes of value and additional data.
    fn bytes(&self) -> usize;
    /// Whether `ring` has the key that the item names.
    fn is_known_to(&self, ring: &KeyRing) -> bool {
        ring.purpose(self.key_id()).is_some()
    }
}

impl Item for Plain {
    fn key_id(&self) -> &str {
        &self.key_id
    }

    fn bytes(&self) -> usize {
        self.plaintext.len() + self.aad.len()
    }
}

impl Item for Sealed {
    fn key_id(&self) -> &str {
        &self.key_id
    }

    fn bytes(&self) -> usize {
        self.ciphertext.len() + self.aad.len()
    }

    /// A text that names no version is invalid in any case, so reloading the ring would not help.
    fn is_known_to(&self, ring: &KeyRing) -> bool {
        let version = parse_kid(&self.ciphertext).map(|kid| ring.version(kid).is_some());
        ring.purpose(&self.key_id).is_some() && version.unwrap_or(true)
    }
}

impl Item for DataKeyOrder {
    fn key_id(&self) -> &str {
        &self.key_id
    }

    fn bytes(&self) -> usize {
        self.aad.len()
    }
}

/// Refuses a batch that is empty or too large; its items are checked one by one later.
pub(super) fn check_size(items: &[impl Item]) -> Result<()> {
    let refuse = |problem: String| Err(Error::Field { field: "items", problem });
    match items.len() {
        0 => return refuse("must not be empty".into()),
        count if count > MAX_ITEMS => {
            return refuse(format!("has {count} items; at most {MAX_ITEMS} are allowed"));
        }
        _ => {}
    }
    let bytes = total(items);
    if bytes > MAX_BYTES {
        return refuse(format!("has {bytes} bytes in all; at most {MAX_BYTES} are allowed"));
    }
    Ok(())
}

fn total(items: &[impl Item]) -> usize {
    items.iter().map(Item::bytes).sum()
}

/// Runs `work` for each item, on a blocking thread if the batch is large.
pub(super) async fn run<I: Item, O: Send + 'static>(
    keys: CallerKeys,
    items: Vec<I>,
    work: fn(&CallerKeys, &I) -> Result<O>,
) -> Result<(Tally, Outcomes<O>)> {
    let short = items.len() <= INLINE_ITEMS && total(&items) <= INLINE_BYTES;
    let each = move || {
        let mut tally = Tally::default();
        let mut outcomes = Vec::with_capacity(items.len());
        for item in &items {
            let outcome = work(&keys, item);
            tally.add(&keys, item.key_id(), &outcome);
            outcomes.push(outcome);
        }
        (tally, outcomes)
    };
    if short { Ok(each()) } else { Ok(tokio::task::spawn_blocking(each).await?) }
}

/// Totals over the items of one call.
#[derive(Default)]
pub(super) struct Tally {
    count: usize,
    failures: usize,
    denials: usize,
    /// Items by key. Only existing keys are counted, so made-up names do not fill the log.
    keys: BTreeMap<String, usize>,
}

impl Tally {
    pub(super) fn add<O>(&mut self, keys: &CallerKeys, key_id: &str, outcome: &Result<O>) {
        self.count += 1;
        if let Err(error) = outcome {
            self.failures += 1;
            self.denials += usize::from(matches!(error, Error::KeyPurpose { .. }));
        }
        if let Some(items) = self.keys.get_mut(key_id) {
            *items += 1;
        } else if keys.ring.purpose(key_id).is_some() {
            self.keys.insert(key_id.to_owned(), 1);
        }
    }

    /// Whether an item was refused because the caller lacks a right.
    pub(super) fn was_denied(&self) -> bool {
        self.denials > 0
    }

    /// The key that all items share, if any.
    pub(super) fn target(&self) -> &str {
        match self.keys.first_key_value() {
            Some((key_id, _)) if self.keys.len() == 1 => key_id,
            _ => "",
        }
    }

    /// Adds `count`, `failures` and, for several keys, the items by key. A call is a success if any of its items
    /// succeeded.
    pub(super) fn describe(&self, event: Event) -> Event {
        let event = event.outcome(self.outcome()).with("count", self.count).with("failures", self.failures);
        if self.keys.len() < 2 {
            return event;
        }
        let keys = self.keys.iter().map(|(key_id, items)| (key_id.clone(), Value::from(*items)));
        event.with("keys", keys.collect::<Map<_, _>>())
    }

    fn outcome(&self) -> Outcome {
        match self {
            _ if self.failures < self.count => Outcome::Success,
            _ if self.was_denied() => Outcome::Denied,
            _ => Outcome::Failed,
        }
    }
}
