//! The vault as this service calls it: its health, callers' tokens, the audit log, keys, seals, signatures, checks of
//! values.
//!
//! Every call carries the service's own token and ends after at most five seconds. The vault's tables are read through
//! [`crate::sources`] on a separate connection, so that bulk data never holds up a call made here.

mod anew;
mod asking;
mod audit;
mod checks;
mod client;
mod health;
mod keys;
mod pins;
mod rewrap;
mod seal;
mod signatures;
mod tokens;

pub(crate) use anew::{AnewStream, SealingAnew};
pub(crate) use asking::QUIET;
pub(crate) use checks::Checks;
pub(crate) use client::{VaultClient, is_away, vault_error};
pub(crate) use keys::InspectedRing;
pub(crate) use pins::PinnedVersions;
pub(crate) use rewrap::KeyVersions;
pub(crate) use signatures::{SidecarSignature, SigningKey};
