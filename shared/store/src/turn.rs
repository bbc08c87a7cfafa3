//! The queue of changes for a connection.
//!
//! A pool serves who waits in the order of arrival, and a caller may have hundreds of changes at once. So changes wait
//! here, and one at a time waits in the pool: what must not wait for all of them finds one ahead of it.

use std::sync::Arc;

use sqlx::{Database, Pool};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::Result;

/// One turn at a time. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Turn(Arc<Semaphore>);

impl Turn {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// `begun`, which takes a connection of `pool`, in its turn. Waiting for the turn has the pool's own limit.
    ///
    /// # Errors
    /// [`crate::Error::Database`], as when no connection becomes free.
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
