//! A batch of questions, as large as one message to the vault can be.

use std::sync::Arc;

use strongroom_api::limits::{AAD_BYTES, BATCH_ITEMS, BATCH_MESSAGE_BYTES, CIPHERTEXT_BYTES};
use strongroom_api::vault::v1::check_decryptable_request::Item;

/// Number of bytes at which a batch is full. One more value still fits into a message, with the encoding of the batch.
const FULL_BYTES: usize = 2 << 20;
const _: () = assert!(FULL_BYTES + CIPHERTEXT_BYTES + AAD_BYTES < BATCH_MESSAGE_BYTES / 2);

/// Identifies a value: the index of its column among the declared ones, and its row's id.
pub(super) struct ValueLocation {
    pub(super) column: usize,
    pub(super) row: Arc<str>,
}

/// Questions for the vault, and verdicts that do not need the vault.
#[derive(Default)]
pub(in crate::verification) struct Batch {
    pub(super) items: Vec<Item>,
    /// Locations of the items, in the same order.
    pub(super) locations: Vec<ValueLocation>,
    /// Values that cannot be asked about, with the reason.
    pub(super) refused: Vec<(ValueLocation, &'static str)>,
    bytes: usize,
}

impl Batch {
    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.locations.len() + self.refused.len()
    }

    /// Whether it should be sent.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= BATCH_ITEMS || self.bytes >= FULL_BYTES
    }

    /// Adds a question about a value.
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
