//! How operations of one kind are limited.

use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

/// The limits of one kind of operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The longest that one may take.
    pub(crate) duration: Duration,
    /// The longest that its client may take nothing.
    pub(crate) stall: Duration,
    /// How many at the same time.
    pub(crate) concurrent: usize,
}

/// Permission to run one operation. Dropping it lets another one in.
pub(crate) type Permit = OwnedSemaphorePermit;
