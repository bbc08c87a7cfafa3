//! The archive format: a ZIP of JSON tables, schemas, the wrapped key ring and a manifest.
//!
//! FORMAT.md beside this crate is the specification. [`ArchiveWriter`] streams an archive into any
//! `Write`; [`ArchiveReader`] opens one under the strict policy and [`verify`] checks all of it;
//! [`RowReader`] hands rows to loaders. [`seal`] puts an archive into an age file and opens it again.
//! Everything here is synchronous: services run it on a blocking thread.

mod aad;
mod directory;
mod end_record;
mod error;
mod file_names;
pub mod json;
mod layout;
mod limits;
pub mod manifest;
mod name;
mod plain;
mod policy;
mod reader;
mod rows;
pub mod schema;
pub mod seal;
mod signature;
mod value;
mod verify;
mod writer;

pub use aad::AadTemplate;
pub use error::{Error, Result};
pub use file_names::EntryNames;
pub use limits::Limits;
pub use manifest::{EncryptedColumn, EntryKind, EntryRecord, Manifest, ManifestHead};
pub use name::archive_file_name;
pub use plain::{PlainEntry, PlainZip};
pub use reader::{ArchiveReader, EntryReader};
pub use rows::RowReader;
pub use signature::ManifestSignature;
pub use value::{SqliteValue, pg_text};
pub use verify::{Report, Watch, verify, verify_entry};
pub use writer::{ArchiveWriter, Compression, EntryMeta, FileCheck};
