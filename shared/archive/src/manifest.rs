//! `manifest.json`: the contents of the archive. FORMAT.md §7 specifies the fields, with the same names as
//! here.
//!
//! The writer builds it from its counts and hashes; a reader trusts nothing else in the archive before the
//! manifest is read and checked.

mod aad;
mod check;
mod list;
mod ordered;
mod print;
mod signature;
mod source;
mod true_path;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

pub use aad::{AadTemplate, FilledAad};
pub use ordered::Ordered;
pub use signature::ManifestSignature;
pub use source::{
    Extension, Migrations, Sequence, SequenceOwner, SequenceRange, Skipped, Snapshot, SourceRecord,
};
pub use true_path::TruePath;

use self::list::list;
use crate::error::{Error, Result};

/// The version that this crate writes, and the newest that it can read.
pub const FORMAT_VERSION: u32 = 1;
/// The entry with the manifest.
pub const MANIFEST_ENTRY: &str = "manifest.json";
/// The entry reserved for the signature of the manifest.
pub const SIGNATURE_ENTRY: &str = "manifest.sig";
/// The entry with the key ring.
pub const RING_ENTRY: &str = "keys/ring.json";
/// The entry with the archive's canary.
pub const CANARY_ENTRY: &str = "canary.txt";
/// The entry with the backup service's schedules.
pub const SCHEDULES_ENTRY: &str = "schedules.json";

/// Maximum lengths of lists, FORMAT.md §8. The limit of entries, as in [`crate::Limits::entries`], also
/// applies to other lists of names.
const MOST_ENTRIES: usize = 100_000;
const MOST_SOURCES: usize = 1000;
const MOST_KIDS: usize = 10_000;

/// The note on encrypted columns in every manifest.
const NOTE: &str = "Encrypted columns are kept as the ciphertext that the database holds. \
    Restoring them needs the same root key; root_key_id names it.";

/// The whole manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT_VERSION`] for everything that this crate writes.
    pub format_version: u32,
    /// The application that was backed up.
    pub app_name: String,
    /// The application's address.
    pub app_url: String,
    /// When the export began: UTC, whole seconds.
    pub created_at: Timestamp,
    /// Rows by table, in archive order.
    pub tables: Ordered<u64>,
    /// `include_<group>` by optional group.
    pub options: Ordered<bool>,
    /// A note for people who open the archive by hand.
    pub note: String,
    /// A UUID, unique to this archive.
    pub archive_id: String,
    /// The deployment id of the vault whose key ring is in the archive; absent if no vault was involved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    /// The program that wrote it and its version.
    pub producer: String,
    /// The root key that the key ring, and therefore the encrypted columns, need; absent without a vault
    /// source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_key_id: Option<String>,
    /// Key versions that values in this archive need: 16 hex digits each.
    #[serde(default, deserialize_with = "list::<MOST_KIDS, _, _>")]
    pub kids: Vec<String>,
    /// Columns of tables in this archive that hold sealed values.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::<{ check::MOST_COLUMNS }, _, _>"
    )]
    pub encrypted_columns: Vec<EncryptedColumn>,
    /// The head of the vault's audit chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_head: Option<AuditHead>,
    /// The sources, and the consistency of their reading.
    #[serde(default, deserialize_with = "list::<MOST_SOURCES, _, _>")]
    pub sources: Vec<SourceRecord>,
    /// SHA-256 of the bytes of the ZIP before the manifest's local header, 64 lower-case hex digits.
    pub zip_sha256: String,
    /// Every entry except the manifest and its signature, in archive order.
    #[serde(deserialize_with = "list::<MOST_ENTRIES, _, _>")]
    pub entries: Vec<EntryRecord>,
    /// The selection, if the archive does not contain everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<Partial>,
}

/// The manifest without the fields that the writer computes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestHead {
    /// See [`Manifest::app_name`].
    pub app_name: String,
    /// See [`Manifest::app_url`].
    pub app_url: String,
    /// See [`Manifest::created_at`]; fractions of a second are dropped.
    pub created_at: Timestamp,
    /// See [`Manifest::options`].
    pub options: Ordered<bool>,
    /// See [`Manifest::archive_id`].
    pub archive_id: String,
    /// See [`Manifest::deployment_id`].
    pub deployment_id: Option<String>,
    /// See [`Manifest::producer`].
    pub producer: String,
    /// See [`Manifest::root_key_id`].
    pub root_key_id: Option<String>,
    /// See [`Manifest::kids`].
    pub kids: Vec<String>,
    /// See [`Manifest::encrypted_columns`].
    pub encrypted_columns: Vec<EncryptedColumn>,
    /// See [`Manifest::audit_head`].
    pub audit_head: Option<AuditHead>,
    /// See [`Manifest::sources`].
    pub sources: Vec<SourceRecord>,
    /// See [`Manifest::partial`].
    pub partial: Option<Partial>,
}

/// A column of sealed values, `srv1.…`, with its key and its additional data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptedColumn {
    /// The table's name in the archive.
    pub table: String,
    /// The column.
    pub column: String,
    /// The vault's key: a caller key, or `credential` for one of the vault's own columns.
    pub key: String,
    /// The template of the additional data, parsed by [`crate::AadTemplate`].
    pub aad: String,
}

/// The last event of the audit log at the time of the export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// The id of the log; empty in archives that do not record it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub chain: String,
    /// Its sequence number.
    pub sequence: u64,
    /// Its MAC, hex.
    pub mac: String,
}

/// The selected part of a whole backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// The tables selected; empty if all were.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "list::<MOST_ENTRIES, _, _>")]
    pub tables: Vec<String>,
}

/// One entry of the ZIP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRecord {
    /// Its name in the ZIP.
    pub name: String,
    /// Uncompressed length.
    pub bytes: u64,
    /// SHA-256 of the uncompressed bytes, 64 lower-case hex digits.
    pub sha256: String,
    /// The kind of entry.
    pub kind: EntryKind,
    /// The table that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The source that it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The database schema (PostgreSQL) of the table that its rows belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// That table's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_table: Option<String>,
    /// For a table: number of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The oldest time of these rows, if older ones were left out: such a table can only be merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// For a file: its true path, if the ZIP cannot represent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<TruePath>,
    /// For a file: its permissions, four octal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// For a file: when its content was last modified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<Timestamp>,
    /// For a file: it had grown by the time its listed bytes were read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grew: bool,
}

/// The kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// The rows of a table.
    Table,
    /// The description of a table.
    Schema,
    /// Objects of a database other than tables.
    Database,
    /// The key ring.
    Ring,
    /// A file of a file set.
    File,
    /// A large object (PostgreSQL).
    LargeObject,
    /// A text unique to this archive.
    Canary,
    /// The backup service's schedules.
    Schedules,
    /// A kind added by a later release; its digest is checked like any other.
    #[serde(other)]
    Other,
}

impl EntryKind {
    /// Whether [`crate::Limits::schema_bytes`] applies.
    pub(crate) fn is_small(self) -> bool {
        match self {
            Self::Schema | Self::Database | Self::Ring | Self::Canary | Self::Schedules => true,
            Self::Table | Self::File | Self::LargeObject | Self::Other => false,
        }
    }
}

impl EntryRecord {
    /// The record of an entry about to be written.
    #[must_use]
    pub fn new(name: &str, kind: EntryKind) -> Self {
        Self {
            name: name.to_owned(),
            bytes: 0,
            sha256: String::new(),
            kind,
            table: None,
            source: None,
            namespace: None,
            own_table: None,
            rows: None,
            since: None,
            path: None,
            mode: None,
            modified_at: None,
            grew: false,
        }
    }
}

/// Parsed first and separately: a later version may have changed every other field.
#[derive(Deserialize)]
struct Version {
    format_version: u64,
}

/// Parsed before the rest, because an archive without it comes from no release.
#[derive(Deserialize)]
struct Frame {
    zip_sha256: Option<IgnoredAny>,
}

impl Manifest {
    /// Combines the caller's data with the writer's counts, and checks the result.
    pub(crate) fn create(head: ManifestHead, entries: Vec<EntryRecord>, zip_sha256: String) -> Result<Self> {
        let mut tables = Ordered::default();
        for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Table) {
            if let (Some(table), Some(rows)) = (&entry.table, entry.rows) {
                tables.push(table, rows);
            }
        }
        let seconds = Timestamp::from_second(head.created_at.as_second());
        let manifest = Self {
            format_version: FORMAT_VERSION,
            app_name: head.app_name,
            app_url: head.app_url,
            created_at: seconds.unwrap_or(head.created_at),
            tables,
            options: head.options,
            note: NOTE.to_owned(),
            archive_id: head.archive_id,
            deployment_id: head.deployment_id,
            producer: head.producer,
            root_key_id: head.root_key_id,
            kids: head.kids,
            encrypted_columns: head.encrypted_columns,
            audit_head: head.audit_head,
            sources: head.sources,
            zip_sha256,
            entries,
            partial: head.partial,
        };
        check::check(&manifest)?;
        Ok(manifest)
    }

    /// Parses a manifest of any format version, refuses a newer version as such, and checks that tables and
    /// entries agree. `bytes` is already within [`crate::Limits::manifest_bytes`]; `serde_json` limits the
    /// nesting (128).
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let Version { format_version } = serde_json::from_slice(bytes).map_err(Error::ManifestJson)?;
        if format_version > u64::from(FORMAT_VERSION) {
            return Err(Error::FutureVersion(format_version));
        }
        if format_version == 0 {
            let problem = "has the format version 0, which no release wrote".to_owned();
            return Err(Error::Manifest { problem });
        }
        let Frame { zip_sha256 } = serde_json::from_slice(bytes).map_err(Error::ManifestJson)?;
        if zip_sha256.is_none() {
            return Err(Error::EarlierBuild);
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(Error::ManifestJson)?;
        check::check(&manifest)?;
        Ok(manifest)
    }
}
