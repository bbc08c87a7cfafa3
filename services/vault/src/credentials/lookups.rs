//! Reads rows for reveals and resolutions, for many callers in one statement.
//!
//! A gateway looks up a row for each of its requests, and a separate statement costs more than the rest of the call.
//! So, as in the use log, one task reads all waiting look-ups together, while the next ones queue. The statement for a
//! look-up begins only after the look-up was queued, so its result is never older than the call.
//!
//! By `tests/bench vault` on two cores, 64 concurrent reveals are about as fast as 64 decrypts, which read nothing;
//! with one statement for each, they took twice as long on PostgreSQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_runtime::Selectors;
use strongroom_store::Result;
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;
use crate::store::{CandidateRow, CredentialRow, Store};

/// Maximum number of keys in one statement.
const BATCH: usize = 256;
/// Maximum number of queued look-ups; further callers wait for a place in the queue.
const WAITING: usize = 1024;

/// A table whose rows can be looked up by many keys at once.
#[async_trait]
pub(super) trait Table: Send + Sync + 'static {
    type Key: Ord + Clone + Send + Sync;
    type Found: Clone + Send;

    /// The rows for each of `keys` inside `selection`.
    async fn find(
        &self,
        keys: &[Self::Key],
        selection: &Selectors,
    ) -> Result<BTreeMap<Self::Key, Self::Found>>;
}

/// Looks up rows of one table.
pub(super) struct Lookups<T: Table> {
    waiting: mpsc::Sender<Waiting<T>>,
}

/// A look-up whose caller waits for the result.
struct Waiting<T: Table> {
    key: T::Key,
    selection: Arc<Selectors>,
    found: oneshot::Sender<Result<Option<T::Found>, Arc<strongroom_store::Error>>>,
}

impl<T: Table> Lookups<T> {
    /// Starts the reader, which ends when this value is dropped.
    pub(super) fn new(table: T) -> Self {
        let (waiting, lookups) = mpsc::channel(WAITING);
        tokio::spawn(read(table, lookups));
        Self { waiting }
    }

    /// The row for `key`, if the caller can see it.
    pub(super) async fn get(
        &self,
        key: T::Key,
        selection: &Arc<Selectors>,
    ) -> Result<Option<T::Found>, Error> {
        let (found, answer) = oneshot::channel();
        let gone = || Error::Inconsistent("the reader of look-ups has ended".into());
        let waiting = Waiting { key, selection: Arc::clone(selection), found };
        self.waiting.send(waiting).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(Error::Lookup)
    }
}

async fn read<T: Table>(table: T, mut lookups: mpsc::Receiver<Waiting<T>>) {
    let mut batch = Vec::with_capacity(BATCH);
    while lookups.recv_many(&mut batch, BATCH).await > 0 {
        while let Some(first) = batch.first() {
            let selection = Arc::clone(&first.selection);
            let (alike, others) = batch.drain(..).partition(|one: &Waiting<T>| one.selection == selection);
            batch = others;
            answer(&table, alike, &selection).await;
        }
    }
}

/// Answers look-ups that share a selection.
async fn answer<T: Table>(table: &T, alike: Vec<Waiting<T>>, selection: &Selectors) {
    let mut keys: Vec<T::Key> = alike.iter().map(|waiting| waiting.key.clone()).collect();
    keys.sort_unstable();
    keys.dedup();
    let found = table.find(&keys, selection).await.map_err(Arc::new);
    for Waiting { key, found: caller, .. } in alike {
        let one = found.as_ref().map(|rows| rows.get(&key).cloned()).map_err(Arc::clone);
        // The caller may be gone.
        let _ = caller.send(one);
    }
}

/// Rows of credentials by id.
pub(super) struct CredentialRows(pub(super) Arc<dyn Store>);

#[async_trait]
impl Table for CredentialRows {
    type Key = String;
    type Found = Result<CredentialRow, Arc<strongroom_store::Error>>;

    async fn find(&self, ids: &[String], selection: &Selectors) -> Result<BTreeMap<String, Self::Found>> {
        let rows = self.0.credential_rows(ids, selection).await?;
        Ok(rows.into_iter().map(|(id, row)| (id, row.map_err(Arc::new))).collect())
    }
}

/// Candidates of references, in the order in which they are tried. The key is the reference's kind and consumer.
pub(super) struct Candidates(pub(super) Arc<dyn Store>);

#[async_trait]
impl Table for Candidates {
    type Key = (String, String);
    type Found = Result<Vec<CandidateRow>, Arc<strongroom_store::Error>>;

    async fn find(
        &self,
        references: &[(String, String)],
        selection: &Selectors,
    ) -> Result<BTreeMap<(String, String), Self::Found>> {
        let found = self.0.candidates(references, selection).await?;
        Ok(found.into_iter().map(|(name, rows)| (name, rows.map_err(Arc::new))).collect())
    }
}

#[cfg(test)]
mod tests;
