//! Inherits the restores of a dead process: the heir brings them to their end.
//!
//! That may take as long as a restore, or until a source is available again. So each of them has a task of its own, and
//! none waits for another.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::ending::{Ending, Settled};
use super::{APPLY, ROLLBACK};
use crate::error::{Error, RestoreError};
use crate::membership::{Member, Membership};
use crate::store::{OperationRow, ProcessRow};

/// How long to wait for the tasks: most end at once.
const MOMENT: Duration = Duration::from_secs(2);

/// Inherits restores.
pub(crate) struct Inheritance {
    ending: Ending,
    membership: Arc<Membership>,
    /// The operations, with their fencing numbers, that have a task in this process.
    going: Arc<Mutex<HashSet<(String, i64)>>>,
}

impl Inheritance {
    pub(super) fn new(ending: Ending, membership: Arc<Membership>) -> Self {
        Self { ending, membership, going: Arc::default() }
    }

    /// Whether `operation` is a restore's.
    pub(crate) fn is_restore(operation: &OperationRow) -> bool {
        operation.kind == APPLY.name || operation.kind == ROLLBACK.name
    }

    /// Like [`crate::membership::Heir::inherit`], for restores.
    pub(crate) async fn inherit(&self, dead: &ProcessRow, operations: &[OperationRow]) -> bool {
        let tasks = TaskTracker::new();
        for operation in operations {
            if self.going().insert(key(operation)) {
                let member = self.membership.current();
                let settling = settle(self.ending.clone(), member, operation.clone(), dead.host.clone());
                let (going, key) = (Arc::clone(&self.going), key(operation));
                tasks.spawn(async move {
                    settling.await;
                    going.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
                });
            }
        }
        tasks.close();
        let _ = tokio::time::timeout(MOMENT, tasks.wait()).await;
        let going = self.going();
        !operations.iter().any(|operation| going.contains(&key(operation)))
    }

    fn going(&self) -> std::sync::MutexGuard<'_, HashSet<(String, i64)>> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(operation: &OperationRow) -> (String, i64) {
    (operation.id.clone(), operation.fence)
}

/// Settles a restore that a process on `host` left, while this process counts as alive.
async fn settle(ending: Ending, member: Arc<Member>, operation: OperationRow, host: String) {
    let died = if operation.kind == ROLLBACK.name {
        Error::from(RestoreError::RollbackDied(host))
    } else {
        Error::from(RestoreError::ProcessDied(host))
    };
    let cause = (&died).into();
    let settling = async { Ok(ending.settle(&operation, &cause).await) };
    match member.until_lost(settling).await {
        Ok(Settled::Done(is_done)) => {
            ending.record(&operation, if is_done { None } else { Some(&died) }).await;
            ending.end(&operation).await;
        }
        Ok(Settled::Stopped | Settled::Fenced) => {}
        Err(lost) => {
            ending.settle(&operation, &(&lost).into()).await;
        }
    }
}
