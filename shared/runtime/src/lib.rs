//! The parts that all Strongroom processes share: configuration, logs and traces, the clock, authentication, serving
//! and shutdown.
//!
//! A service supplies its routes and its authentication; everything that two services would otherwise duplicate is
//! here. This crate knows nothing about tables or keys.

pub mod admin;
pub mod auth;
pub mod client;
pub mod clock;
pub mod config;
mod error;
pub mod failpoint;
pub mod health;
pub mod identity;
pub mod metrics;
mod plaintext;
mod printable;
pub mod process;
pub mod rpc;
pub mod secret_file;
pub mod selectors;
pub mod server;
pub mod shutdown;
pub mod status;
mod strangers;
pub mod stream_limits;
pub mod telemetry;
pub mod tls;

pub use auth::{Authenticator, Caller, Delegation, Principal};
pub use clock::{Clock, SystemClock};
pub use error::{Error, Result};
pub use health::Health;
pub use metrics::Metrics;
pub use plaintext::is_loopback_host;
pub use printable::{printable, printable_lines};
pub use selectors::Selectors;
pub use shutdown::Shutdown;
