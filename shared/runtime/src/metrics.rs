//! Placeholder until the registry lands.

use std::time::Duration;

/// Counts calls.
#[derive(Debug, Clone, Default)]
pub struct Rpc;

impl Rpc {
    /// A call begins.
    pub fn begin(&self, _: &'static str) {}
    /// A call has ended.
    pub fn end(&self, _: &'static str, _: tonic::Code, _: Duration) {}
}
