//! PromptGate's Backup/Export: a ZIP with `manifest.json` and one `tables/<name>.json` for each table, a JSON array
//! of rows.
//!
//! Columns encrypted by Laravel contain the values as stored in the database. The manifest has no digests:
//! damage that the ZIP's own checksums miss is detected only by the manifest's row counts and by the values'
//! own authentication.

mod counts;
mod rows;
mod survey;
mod truth;

use std::io::{Read, Seek};

use serde::Deserialize;
use serde_json::{Map, Value};
use strongroom_archive::manifest::Ordered;
use strongroom_archive::{Limits, PlainZip};

use crate::app_key::AppKey;
use crate::error::{Error, Result};
use crate::laravel::PayloadFault;

pub use survey::{EncryptedColumn, TableSurvey};

const MANIFEST: &str = "manifest.json";
const CREDENTIALS: &str = "credentials";
const FORMAT_VERSION: u64 = 1;

/// Maximum size of the manifest.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;
/// Maximum size of all credential rows, which are held in memory.
const MAX_CREDENTIALS_BYTES: u64 = 64 << 20;

/// The manifest of an export.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ExportManifest {
    /// 1.
    pub format_version: u64,
    /// The gateway's name.
    pub app_name: String,
    /// The gateway's address.
    #[serde(default)]
    pub app_url: String,
    /// When the export was made, according to the export.
    #[serde(default)]
    pub created_at: String,
    /// Number of rows in each table, according to the export.
    tables: Ordered<u64>,
    /// Only present in Strongroom's own archives.
    #[serde(default)]
    archive_id: Option<String>,
}

/// A row of the credentials, its secret still encrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// The row's id, a number or a text.
    pub id: String,
    /// Its display name.
    pub name: String,
    /// The provider's short name.
    pub provider: String,
    /// The encrypted secret; `None` where the row has none.
    pub secret: Option<String>,
    /// Whether consumers can use it; `None` if the row does not contain a known form of this value.
    pub active: Option<bool>,
}

/// An export in a seekable file.
pub struct Export<R> {
    zip: PlainZip<R>,
    manifest: ExportManifest,
}

impl<R: Read + Seek> Export<R> {
    /// Opens an export and reads its manifest.
    ///
    /// # Errors
    /// If it is not a ZIP, violates the strict rules of `strongroom-archive`, or is not PromptGate's.
    pub fn open(source: R) -> Result<Self> {
        let mut zip = PlainZip::open(source, Limits::V1).map_err(Error::Zip)?;
        let mut json = Vec::new();
        let entry = zip.entry(MANIFEST, MAX_MANIFEST_BYTES).map_err(Error::Zip);
        entry?.read_to_end(&mut json).map_err(Error::from_entry)?;
        let manifest: ExportManifest = serde_json::from_slice(&json)
            .map_err(|error| document(MANIFEST, format!("is not that of a PromptGate export: {error}")))?;
        match manifest {
            ExportManifest { archive_id: Some(_), .. } => Err(Error::OwnArchive),
            ExportManifest { format_version: FORMAT_VERSION, .. } => Ok(Self { zip, manifest }),
            other => Err(Error::FutureExport(other.format_version)),
        }
    }

    /// The export's manifest.
    pub fn manifest(&self) -> &ExportManifest {
        &self.manifest
    }

    /// The rows of the table `credentials`; none if the export does not have that table.
    ///
    /// # Errors
    /// If the table is damaged, larger than 64 MiB, or not an array of rows with ids.
    pub fn credentials(&mut self) -> Result<Vec<StoredCredential>> {
        let name = entry_of(CREDENTIALS);
        let mut credentials = Vec::new();
        if !self.has(CREDENTIALS) {
            return Ok(credentials);
        }
        let entry = self.zip.entry(&name, MAX_CREDENTIALS_BYTES).map_err(Error::Zip)?;
        rows::for_each(&name, entry, |row| {
            credentials.push(stored(row)?);
            Ok(())
        })?;
        Ok(credentials)
    }
}

impl AppKey {
    /// Distinguishes a wrong key from single values that do not open.
    ///
    /// # Errors
    /// If there are encrypted credentials and none of them opens.
    pub fn check(&self, credentials: &[StoredCredential]) -> Result<()> {
        let secrets = credentials.iter().filter_map(|credential| credential.secret.as_deref());
        let mut foreign = 0;
        for secret in secrets {
            match self.open(secret) {
                Ok(_) => return Ok(()),
                Err(PayloadFault::Mac | PayloadFault::Tag) => foreign += 1,
                Err(_) => {}
            }
        }
        if foreign == 0 { Ok(()) } else { Err(Error::WrongAppKey(foreign)) }
    }
}

fn entry_of(table: &str) -> String {
    format!("tables/{table}.json")
}

/// A row's fields; the error is a verb phrase.
fn stored(mut row: Map<String, Value>) -> Result<StoredCredential, String> {
    let id = match row.remove("id") {
        Some(Value::String(id)) => id,
        Some(Value::Number(id)) => id.to_string(),
        _ => return Err("has no id".to_owned()),
    };
    let mut text = |column: &str| match row.remove(column) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let (name, provider, secret) = (text("name"), text("provider"), text("secret"));
    let active = row.get("is_active").and_then(truth::of);
    let (name, provider) = (name.unwrap_or_default(), provider.unwrap_or_default());
    Ok(StoredCredential { id, name, provider, secret, active })
}

fn document(entry: &str, problem: impl Into<String>) -> Error {
    Error::Document { entry: entry.to_owned(), problem: problem.into() }
}

#[cfg(test)]
mod tests;
