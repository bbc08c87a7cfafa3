//! How long writers wait for a restore: from its lock until it has committed.

use std::time::{Duration, Instant};

use super::{Connection, lock};
use crate::error::{Error, Result};

/// A pause that has begun and must not exceed `limit`.
pub(super) struct Pause {
    pub(super) since: Instant,
    pub(super) limit: Option<Duration>,
}

impl Pause {
    /// The remaining time.
    pub(super) fn left(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.saturating_sub(self.since.elapsed()))
    }

    /// Commits work that was `done` in time, and rolls back otherwise. Without WAL, the commit waits for readers, and they
    /// for us, so it is part of the pause. `lock`: maximum wait if no pause, or a longer one, was agreed.
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
            // If the pause is over, an interruption or a failed lock means only that.
            (Some(limit), Err(_)) if self.left() == Some(Duration::ZERO) => Err(too_long(source, limit)),
            (_, done) => done,
        }
    }
}

fn too_long(source: &str, limit: Duration) -> Error {
    let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    Error::PauseTooLong { name: source.to_owned(), limit_ms }
}
