//! A batch of questions, as large as one message to the vault may be.

use std::sync::Arc;

use strongroom_api::limits::{AAD_BYTES, BATCH_ITEMS, BATCH_MESSAGE_BYTES, CIPHERTEXT_BYTES};
use strongroom_api::vault::v1::check_decryptable_request::Item;

/// Bytes from which a batch is full. One more value still fits into a message, and so does what encodes a batch.
const FULL_BYTES: usize = 2 << 20;
const _: () = assert!(FULL_BYTES + CIPHERTEXT_BYTES + AAD_BYTES < BATCH_MESSAGE_BYTES / 2);

/// Which value: the position of its column among the declared ones, and its row's id.
pub(super) struct ValueLocation {
    pub(super) column: usize,
    pub(super) row: Arc<str>,
}

/// Questions for the vault, and verdicts that need no vault.
#[derive(Default)]
pub(in crate::verification) struct Batch {
    pub(super) items: Vec<Item>,
    /// Of the items, in their order.
    pub(super) locations: Vec<ValueLocation>,
    /// Values that cannot be asked about, with the reason.
    pub(super) refused: Vec<(ValueLocation, &'static str)>,
    bytes: usize,
}

impl Batch {
    /// Values in it.
    pub(super) fn len(&self) -> usize {
        self.locations.len() + self.refused.len()
    }

    /// Whether it is time to ask.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= BATCH_ITEMS || self.bytes >= FULL_BYTES
    }

    /// Asks about a value.
    pub(super) fn ask(&mut self, location: ValueLocation, item: Item) {
        self.bytes += item.key_id.len() + item.ciphertext.len() + item.aad.len() + item.column.len();
        self.locations.push(location);
        self.items.push(item);
    }

    /// Records a value that is known not to open, with the reason.
    pub(super) fn refuse(&mut self, location: ValueLocation, reason: &'static str) {
        self.refused.push((location, reason));
    }
}
