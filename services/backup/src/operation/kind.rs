//! What tells one kind of operation from another.

use crate::error::Error;

/// A kind of operation: its names, and its errors.
pub(crate) struct Kind {
    /// In the process log.
    pub(crate) name: &'static str,
    /// The audit event before its first byte; none for a kind that changes and hands out nothing.
    pub(crate) started: Option<&'static str>,
    /// The audit event of its end, whatever the outcome.
    pub(crate) ended: &'static str,
    /// Whether what it has made stays when its end cannot be recorded. Its end is then closed as unknown.
    pub(crate) keeps: bool,
    /// Whether another process brings it to its end, and records that, when this one cannot.
    pub(crate) hands_on: bool,
    /// Replies that may wait for the client.
    pub(crate) queue: usize,
    /// The error when all permits, whose number it gets, are taken.
    pub(crate) busy: fn(usize) -> Error,
    /// The error when it took longer than this number of seconds.
    pub(crate) too_long: fn(u64) -> Error,
    /// Its client took nothing for so many seconds.
    pub(crate) stalled: fn(u64) -> Error,
}
