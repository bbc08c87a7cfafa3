//! Reading what other products left behind, so that whoever leaves them loses nothing.
//!
//! [`Geb`] opens Gatwy's encrypted backup file. [`Export`] reads PromptGate's export, and [`AppKey`] opens the
//! values in it that Laravel encrypted. [`Connections`] reads Gatwy's connection export. Everything here is offline and synchronous. Files come from elsewhere, so
//! nothing in them is believed before it was checked, and memory does not grow with their size.

mod app_key;
mod connections;
mod error;
mod geb;
mod laravel;
mod promptgate;

pub use app_key::AppKey;
pub use connections::{Connection, Connections, Group, Id};
pub use error::{Error, Result};
pub use geb::{Contents, Form, Geb, MAX_RECORDINGS, Recording, Unpacked};
pub use laravel::{PayloadFault, looks_encrypted};
pub use promptgate::{EncryptedColumn, Export, ExportManifest, StoredCredential, TableSurvey};
