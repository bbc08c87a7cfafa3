//! Properties of a kind of operation.

use crate::error::Error;

/// A kind of operation: its names, and its errors.
pub(crate) struct Kind {
    /// Its name in the process log.
    pub(crate) name: &'static str,
    /// The audit event before the first byte; `None` for a kind that neither changes nor returns data.
    pub(crate) started: Option<&'static str>,
    /// The audit event of the end, for every outcome.
    pub(crate) ended: &'static str,
    /// Whether the result stays even if the end cannot be recorded. The end is then closed as unknown.
    pub(crate) keeps: bool,
    /// Whether another process completes the operation, and records that, if this process cannot.
    pub(crate) hands_on: bool,
    /// Number of replies that can wait for the client.
    pub(crate) queue: usize,
    /// The error when all permits are taken; it gets their number.
    pub(crate) busy: fn(usize) -> Error,
    /// The error when it exceeds its time limit; it gets the limit in seconds.
    pub(crate) too_long: fn(u64) -> Error,
    /// The error when its client reads nothing for too long; it gets the limit in seconds.
    pub(crate) stalled: fn(u64) -> Error,
}
