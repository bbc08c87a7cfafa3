//! A change under way.

use std::ops::{Deref, DerefMut};

use strongroom_store::Result;

use super::{Connection, Transaction};
use crate::store::ChainKey;

/// A transaction with the key that chains its events. It is undone unless it is committed.
pub(super) struct Change {
    transaction: Transaction,
    pub(super) chain: Option<ChainKey>,
}

impl Change {
    pub(super) fn new(transaction: Transaction, chain: Option<ChainKey>) -> Self {
        Self { transaction, chain }
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
