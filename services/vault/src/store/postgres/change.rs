//! An open change.

use std::ops::{Deref, DerefMut};

use strongroom_store::Result;

use super::{Connection, Transaction};
use crate::store::ChainKey;
use crate::store::audit::Failures;

/// A transaction and the key that chains its events. It is rolled back unless it is committed.
pub(super) struct Change {
    transaction: Transaction,
    pub(super) chain: Option<ChainKey>,
    pub(super) failures: Failures,
}

impl Change {
    pub(super) fn new(transaction: Transaction, chain: Option<ChainKey>, failures: Failures) -> Self {
        Self { transaction, chain, failures }
    }

    pub(super) async fn commit(self) -> Result<()> {
        Ok(self.transaction.commit().await?)
    }
}

impl Deref for Change {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.transaction
    }
}

impl DerefMut for Change {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.transaction
    }
}
