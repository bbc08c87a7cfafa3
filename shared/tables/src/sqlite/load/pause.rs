//! How long writers wait for a restore: from its lock until it has committed.

use std::time::{Duration, Instant};

use super::{Connection, lock};
use crate::error::{Error, Result};

/// A pause that has begun, and must not be longer than `limit`.
pub(super) struct Pause {
    pub(super) since: Instant,
    pub(super) limit: Option<Duration>,
}

impl Pause {
    /// What is left of it.
    pub(super) fn left(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.saturating_sub(self.since.elapsed()))
    }

    /// Commits what was `done` in time, and nothing else. Without WAL readers are waited for, and they for us, so that this is
    /// part of the pause. `lock`: how long to wait at most where no pause was agreed, or a longer one.
    pub(super) async fn end<T>(
        &self,
        connection: &mut Connection,
        source: &str,
        done: Result<T>,
        lock: Duration,
    ) -> Result<T> {
        connection.end_after(None);
        let left = self.left();
        let done = match done {
            Ok(done) if left != Some(Duration::ZERO) => {
                let wait = left.map_or(lock, |left| left.min(lock));
                lock::commit(connection, source, wait).await.map(|()| done)
            }
            done => {
                lock::roll_back(connection).await;
                done.and(Err(Error::Cancelled))
            }
        };
        match (self.limit, done) {
            // What was interrupted, or could not be had, says no more than that.
            (Some(limit), Err(_)) if self.left() == Some(Duration::ZERO) => Err(too_long(source, limit)),
            (_, done) => done,
        }
    }
}

fn too_long(source: &str, limit: Duration) -> Error {
    let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    Error::PauseTooLong { name: source.to_owned(), limit_ms }
}
