//! Imports data from other products without loss.
//!
//! [`Geb`] opens Gatwy's encrypted backup file. [`Export`] reads PromptGate's export, and [`AppKey`] opens
//! its values that Laravel encrypted. [`Connections`] reads Gatwy's connection export. Everything here is
//! offline and synchronous. Files are untrusted: their contents are verified before use, and memory use has a
//! limit that does not depend on their size.

mod app_key;
mod connections;
mod error;
#[cfg(test)]
mod fuzz;
mod geb;
mod laravel;
mod promptgate;

pub use app_key::AppKey;
pub use connections::{Connection, Connections, Group, Id};
pub use error::{Error, Result};
pub use geb::{Contents, Form, Geb, MAX_RECORDINGS, Recording, Unpacked};
pub use laravel::{PayloadFault, looks_encrypted};
pub use promptgate::{EncryptedColumn, Export, ExportManifest, StoredCredential, TableSurvey};
