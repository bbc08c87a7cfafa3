//! Cryptography for other services.
//!
//! [`Ciphertexts`] seals and opens values with caller keys, and checks ciphertexts. [`Signing`] signs archive manifests
//! and sidecars. [`Seals`] wraps and unwraps the file keys of sealed archives.

mod ciphertexts;
mod seals;
mod signing;

pub(crate) use ciphertexts::{
    AnewTotals, CheckTotals, Checked, Ciphertext, Ciphertexts, DataKey, DataKeyOrder, Opened, Outcomes,
    Plain, Sealed, Verdict,
};
pub(crate) use seals::{Seals, WrappedFileKey};
pub(crate) use signing::Signing;
