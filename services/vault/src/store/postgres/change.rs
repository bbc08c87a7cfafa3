//! A change under way.

use std::ops::{Deref, DerefMut};

use sqlx::{PgConnection, Postgres, Transaction};
use strongroom_store::Result;

use crate::store::ChainKey;

/// A transaction with the key that chains its events. It is undone unless it is committed.
pub(super) struct Change {
    transaction: Transaction<'static, Postgres>,
    pub(super) chain: Option<ChainKey>,
}

impl Change {
    pub(super) fn new(transaction: Transaction<'static, Postgres>, chain: Option<ChainKey>) -> Self {
        Self { transaction, chain }
    }

    pub(super) async fn commit(self) -> Result<()> {
        Ok(self.transaction.commit().await?)
    }
}

impl Deref for Change {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.transaction
    }
}

impl DerefMut for Change {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}
