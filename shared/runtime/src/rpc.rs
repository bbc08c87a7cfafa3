//! A call as seen from outside, on both sides: its method, its end and its duration.
//!
//! A call ends with its body, not with its handler: a download of an hour takes an hour. Span attributes follow the
//! OpenTelemetry conventions for RPC (opentelemetry.io/docs/specs/semconv/rpc).

mod client;
mod ending;
mod methods;
mod server;

pub use client::Traced;
pub(crate) use methods::{OTHER, methods};
pub(crate) use methods::{Shape, shape_of};
pub(crate) use server::ObserveLayer;
