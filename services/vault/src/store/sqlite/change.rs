//! A change under way.

use std::ops::{Deref, DerefMut};

use sqlx::{Sqlite, SqliteConnection, Transaction};
use strongroom_store::Result;

use crate::store::ChainKey;

/// A transaction with the key that chains its events. It is undone unless it is committed.
pub(super) struct Change {
    transaction: Transaction<'static, Sqlite>,
    pub(super) chain: Option<ChainKey>,
}

impl Change {
    pub(super) fn new(transaction: Transaction<'static, Sqlite>, chain: Option<ChainKey>) -> Self {
        Self { transaction, chain }
    }

    pub(super) async fn commit(self) -> Result<()> {
        Ok(self.transaction.commit().await?)
    }
}

impl Deref for Change {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.transaction
    }
}

impl DerefMut for Change {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }
}
