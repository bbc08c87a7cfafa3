//! The ledger of needed key versions: `census` counts values, `pins` records the needs of archives.

use std::sync::Arc;

use strongroom_runtime::Clock;

use crate::store::Store;

/// Records which versions are needed, and by whom.
pub(crate) struct Ledger {
    pub(super) store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Ledger {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.now_micros()
    }
}
