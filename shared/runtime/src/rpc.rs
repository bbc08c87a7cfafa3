//! What a call is seen as from outside: by its method, its end and the time between, on both of its sides.
//!
//! A call ends with its body, not with its handler: a download of an hour takes an hour. Attributes of spans follow the
//! OpenTelemetry conventions for RPC (opentelemetry.io/docs/specs/semconv/rpc).

mod client;
mod ending;
mod methods;
mod server;

pub use client::Traced;
pub(crate) use methods::{OTHER, methods};
pub(crate) use methods::{Shape, shape_of};
pub(crate) use server::ObserveLayer;
