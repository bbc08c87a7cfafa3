//! Credentials and references: their life, rotation, fail-over, and tokens that see only some of them.

mod leaving;
mod lifecycle;
mod opening;
mod references;
mod rotation;
mod selectors;
