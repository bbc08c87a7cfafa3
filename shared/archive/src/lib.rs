//! The archive format: a ZIP of JSON tables, schemas, the wrapped key ring and a manifest.
//!
//! FORMAT.md in this crate's folder is the specification. [`ArchiveWriter`] streams an archive to any
//! `Write`; [`ArchiveReader`] opens one that follows the ZIP profile, and [`verify()`] checks all of it;
//! [`RowReader`] passes rows to loaders. [`seal`] contains Strongroom's additions to the age file around an
//! archive. Everything here is synchronous: services run it on a blocking thread.
//!
//! From the bottom: `zip` is the file, `rows` are the tables, `manifest` describes the contents; reader,
//! writer and `verify` combine the three.

pub mod document;
mod error;
mod file_name;
#[cfg(test)]
mod fuzz;
mod limits;
pub mod manifest;
mod quote;
mod reader;
mod rows;
pub mod seal;
mod verify;
mod writer;
mod zip;

pub use self::zip::{EntryNames, PlainEntry, PlainZip};
pub use error::{Error, Result};
pub use file_name::archive_file_name;
pub use limits::Limits;
pub use manifest::{
    AadTemplate, CANARY_ENTRY, EncryptedColumn, EntryKind, EntryRecord, FilledAad, Manifest, ManifestHead,
    ManifestSignature, RING_ENTRY,
};
pub use reader::{ArchiveReader, EntryReader};
pub use rows::{BoundedText, RowReader, SqliteValue, characters, json, pg_text, schema, text_within};
pub use strongroom_deflate::Compression;
pub use verify::{Dangling, ReferenceReport, References, Report, Watch, verify, verify_entry, verify_frame};
pub use writer::{ArchiveWriter, FileCheck};
