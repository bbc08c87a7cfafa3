//! Uses in SQLite.
//!
//! The position in the chain must be known before a MAC can be computed, and reading it takes a transaction. So the head after
//! the last batch is remembered and only confirmed. If another process, or a change in this one, has moved it since, the batch is
//! written in a separate transaction that reads the head first.

use async_trait::async_trait;
use strongroom_store::Result;

use super::Store;
use super::append::append_all;
use super::group_commit::mark_used;
use crate::store::{AuditHead, NewEvent, Use, UseStore};

#[async_trait]
impl UseStore for Store {
    async fn append_uses(&self, uses: &[Use]) -> Result<()> {
        let events: Vec<&NewEvent> = uses.iter().map(|used| &used.event).collect();
        let remembered = self.commit_behind_remembered(uses, &events).await;
        let head = match remembered.map_err(|error| self.tail.failures().unwritable(error))? {
            Some(head) => head,
            None => self.commit_behind_current(uses, &events).await?,
        };
        self.tail.set_head(head);
        Ok(())
    }
}

impl Store {
    async fn commit_behind_current(&self, uses: &[Use], events: &[&NewEvent]) -> Result<AuditHead> {
        let mut tx = self.begin_ahead().await?;
        mark_used(&mut tx, uses).await?;
        let head = append_all(&mut tx, events).await?;
        tx.commit().await.map_err(|error| self.tail.failures().unwritable(error))?;
        Ok(head)
    }
}
