//! The limits of operations of one kind.

use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

/// The limits of one kind of operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Maximum duration of an operation.
    pub(crate) duration: Duration,
    /// Maximum time that its client may read nothing.
    pub(crate) stall: Duration,
    /// Maximum number of concurrent operations.
    pub(crate) concurrent: usize,
}

/// Permission to run one operation. Dropping it admits another one.
pub(crate) type Permit = OwnedSemaphorePermit;
