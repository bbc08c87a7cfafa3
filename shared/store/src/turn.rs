//! The queue of changes that wait for a connection.
//!
//! A pool serves its waiters in order of arrival, and one caller can have hundreds of changes waiting at
//! once. Ordinary changes therefore wait here, and only one of them at a time waits in the pool. An urgent
//! change (`begin_ahead`) skips this queue, so it finds at most one ordinary change ahead of it in the pool.

use std::sync::Arc;

use sqlx::{Database, Pool};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::Result;

/// Grants one turn at a time. Clones share the queue.
#[derive(Clone, Debug)]
pub(crate) struct Turn(Arc<Semaphore>);

impl Turn {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Runs `begun`, which takes a connection of `pool`, when its turn comes. The wait has the pool's own
    /// timeout.
    ///
    /// # Errors
    /// [`crate::Error::Database`], as if no connection became free.
    pub(crate) async fn take<D: Database, T>(
        &self,
        pool: &Pool<D>,
        begun: impl Future<Output = sqlx::Result<T>>,
    ) -> Result<T> {
        let turn = timeout(pool.options().get_acquire_timeout(), self.0.acquire()).await;
        let _turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?;
        Ok(begun.await?)
    }
}
