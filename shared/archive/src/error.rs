//! Errors of an archive, each kind of fault with its own message.

use std::io;

use strongroom_age::SealError;

use crate::quote::Quoted;

/// Why an archive could not be written or read. Messages name the entry, and the remedy if there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Writing the archive failed: a client disconnected, a disk is full. The kind is that of the underlying
    /// error.
    #[error("the archive could not be written any further: {0}")]
    Sink(#[source] io::Error),
    /// Reading the archive's file failed.
    #[error("the archive could not be read: {0}")]
    Read(#[source] io::Error),
    /// A compression thread could not be started, or ended early.
    #[error("the archive's entries can no longer be compressed: {0}")]
    Compressor(#[source] io::Error),
    /// The writer's methods were called in an invalid order.
    #[error("the archive writer was used wrongly: {0}")]
    Usage(&'static str),

    /// A limit of [`crate::Limits`] is exceeded.
    #[error("{subject} exceeds the limit of {limit} {unit}")]
    Limit {
        /// The subject: an entry by its name, or the archive.
        subject: String,
        /// The limit.
        limit: u64,
        /// The limit's unit.
        unit: &'static str,
    },

    /// A row is larger than [`crate::Limits::row_bytes`].
    #[error("row {row} of {entry} exceeds the limit of {limit} bytes in one row", entry = Quoted(entry))]
    RowLimit {
        /// The entry's name.
        entry: String,
        /// The row number, counted from 1.
        row: u64,
        /// Maximum bytes of a row.
        limit: u64,
    },

    /// The bytes are not a ZIP file, or not one that this crate can read.
    #[error("this is not a readable ZIP archive: {0}")]
    Zip(#[source] zip::result::ZipError),
    /// The file does not begin with a ZIP entry.
    #[error("this is not a ZIP archive: it begins with other bytes")]
    NotZip,
    /// No end record at the end of the file: a truncated file, or bytes after the archive.
    #[error(
        "the ZIP end record is not at the end of the file: it was cut short, or something was added after it"
    )]
    NoEndRecord,
    /// The end record contradicts itself or its position.
    #[error("the ZIP end record is wrong: {0}")]
    EndRecord(&'static str),
    /// The archive has a comment.
    #[error("the ZIP archive has a comment, which archives never have")]
    Comment,
    /// Some bytes belong to no entry.
    #[error("there are {bytes} bytes before {before} that belong to no entry")]
    Hidden {
        /// The structure that follows them: an entry's name, or the central directory.
        before: String,
        /// Number of bytes.
        bytes: u64,
    },
    /// Two entries share bytes.
    #[error("the entry {entry} overlaps the data after it", entry = Quoted(entry))]
    Overlap {
        /// The first of the two.
        entry: String,
    },
    /// The local header, data descriptor or an extra field contradicts the central directory.
    #[error("the entry {entry} is described in two ways that disagree: {detail}", entry = Quoted(entry))]
    Inconsistent {
        /// Its name.
        entry: String,
        /// The detail that differs.
        detail: String,
    },
    /// The same name occurs twice.
    #[error("the entry {entry} occurs twice", entry = Quoted(entry))]
    Duplicate {
        /// The name.
        entry: String,
    },
    /// Two names that some file system does not distinguish.
    #[error("the entry {entry} differs from another one only in letter case", entry = Quoted(entry))]
    CaseDuplicate {
        /// The later name.
        entry: String,
    },
    /// A name that could lead outside the target folder.
    #[error("the entry name {entry} {problem}", entry = Quoted(entry))]
    Name {
        /// The name, with replacement characters if it is not UTF-8.
        entry: String,
        /// The problem, as a verb phrase.
        problem: &'static str,
    },
    /// An entry that is not a plain file.
    #[error("the entry {entry} is {what}, and archives hold plain files only", entry = Quoted(entry))]
    NotAFile {
        /// Its name.
        entry: String,
        /// The kind of entry.
        what: &'static str,
    },
    /// An entry with ZIP encryption.
    #[error("the entry {entry} is encrypted inside the ZIP, which archives never use", entry = Quoted(entry))]
    Encrypted {
        /// Its name.
        entry: String,
    },
    /// A compression method other than deflate and stored.
    #[error("the entry {entry} uses compression method {method}; only 0 and 8 are allowed", entry = Quoted(entry))]
    Method {
        /// Its name.
        entry: String,
        /// The method's number in the ZIP specification.
        method: u16,
    },
    /// An entry has a comment.
    #[error("the entry {entry} has a comment, which archives never have", entry = Quoted(entry))]
    EntryComment {
        /// Its name.
        entry: String,
    },
    /// Header fields without effect differ from those that an archive's writer produces.
    #[error("the header of the entry {entry} is not in the form that an archive writer gives it", entry = Quoted(entry))]
    Header {
        /// Its name.
        entry: String,
    },
    /// The entries are in another order than listed, or something follows the manifest and its signature.
    #[error("the entry {entry} is not at the position that an archive writer gives it", entry = Quoted(entry))]
    Place {
        /// Its name.
        entry: String,
    },
    /// The bytes before the manifest have changed, although every entry is valid.
    #[error(
        "bytes of the ZIP outside its entries' content have changed, such as an entry's header: their \
         SHA-256 is not the one in manifest.json"
    )]
    Frame,

    /// There is no manifest.
    #[error("there is no manifest.json: this is not an archive, or its export never completed")]
    NoManifest,
    /// `manifest.sig` exists but is not a signature.
    #[error(
        "manifest.sig is not a signature: expected a key version, an archive id, a time and 128 lower-case hexadecimal digits"
    )]
    Signature,
    /// `manifest.sig` belongs to another archive.
    #[error("manifest.sig is the signature of another archive, {archive_id}")]
    OtherSignature {
        /// The archive that it belongs to.
        archive_id: String,
    },
    /// The manifest is not valid JSON of the expected form.
    #[error("manifest.json cannot be understood: {0}")]
    ManifestJson(#[source] serde_json::Error),
    /// The archive comes from a later release.
    #[error("the archive has format version {0}, and this release reads up to 1: use a newer release")]
    FutureVersion(u64),
    /// The manifest lacks a field that every release writes.
    #[error(
        "an earlier build of Strongroom wrote this archive, and no release reads the archives of that build: make a new export"
    )]
    EarlierBuild,
    /// The manifest contradicts itself.
    #[error("manifest.json {problem}")]
    Manifest {
        /// The problem, as a verb phrase.
        problem: String,
    },
    /// A table has no schema entry.
    #[error("the table {table} has no schema entry", table = Quoted(table))]
    NoSchema {
        /// The table.
        table: String,
    },
    /// An entry that is not in the manifest.
    #[error("the entry {entry} is not listed in manifest.json", entry = Quoted(entry))]
    Unlisted {
        /// Its name.
        entry: String,
    },
    /// An entry that is only in the manifest.
    #[error("the entry {entry} is listed in manifest.json but is not in the archive", entry = Quoted(entry))]
    Missing {
        /// Its name.
        entry: String,
    },

    /// An entry that is missing from a foreign ZIP.
    #[error("there is no entry {entry}", entry = Quoted(entry))]
    NoEntry {
        /// Its name.
        entry: String,
    },

    /// The compressed data or its checksum is invalid.
    #[error("the entry {entry} is damaged: {source}", entry = Quoted(entry))]
    Damaged {
        /// Its name.
        entry: String,
        /// The decompressor's error.
        source: io::Error,
    },
    /// The entry is longer or shorter than stated in the manifest.
    #[error("the entry {entry} does not have the {expected} bytes that manifest.json gives it", entry = Quoted(entry))]
    Length {
        /// Its name.
        entry: String,
        /// The length in the manifest.
        expected: u64,
    },
    /// The entry's digest differs from that in the manifest.
    #[error("the entry {entry} does not have the SHA-256 that manifest.json gives it", entry = Quoted(entry))]
    Digest {
        /// Its name.
        entry: String,
    },
    /// A document inside an entry is invalid.
    #[error("the entry {entry} cannot be understood: {source}", entry = Quoted(entry))]
    Json {
        /// Its name.
        entry: String,
        /// The position and the cause.
        source: serde_json::Error,
    },
    /// A schema entry describes another table than stated in the manifest.
    #[error("the entry {entry} describes another table: {found}", entry = Quoted(entry), found = Quoted(found))]
    OtherTable {
        /// Its name.
        entry: String,
        /// The table it describes.
        found: String,
    },
    /// The manifest gives a table's entry another source, namespace or own name than its schema entry does.
    #[error("manifest.json names another source or table for {entry} than its schema entry does", entry = Quoted(entry))]
    OwnTable {
        /// Its name.
        entry: String,
    },
    /// A database entry describes another source than stated in the manifest.
    #[error("the entry {entry} describes another source: {found}", entry = Quoted(entry), found = Quoted(found))]
    OtherSource {
        /// Its name.
        entry: String,
        /// The source it describes.
        found: String,
    },
    /// Rows refer to others that are not in the archive.
    #[error("{0}")]
    Dangling(String),
    /// The canary has an invalid form.
    #[error("canary.txt is not a line of 64 lower-case hex digits")]
    Canary,
    /// A row, or the array around the rows, is malformed.
    #[error("line {line} of {entry} {problem}", entry = Quoted(entry))]
    Row {
        /// The entry's name.
        entry: String,
        /// The line number, counted from 1, including the opening bracket's line.
        line: u64,
        /// The problem, as a verb phrase.
        problem: String,
    },
    /// The number of rows differs from that in the manifest.
    #[error("the table {table} has {found} rows where manifest.json counts {expected}", table = Quoted(table))]
    Count {
        /// The table.
        table: String,
        /// The number in the manifest.
        expected: u64,
        /// The number counted.
        found: u64,
    },
    /// The template for a column's additional data is invalid.
    #[error("the aad {template} {problem}; it is text with names such as {{table}}, {{column}} and {{id}}", template = Quoted(template))]
    Aad {
        /// The template as given.
        template: String,
        /// The problem, as a verb phrase.
        problem: &'static str,
    },
    /// A value has a form that its engine never uses.
    #[error("a value {0}")]
    Value(&'static str),

    /// No identity opens the seal around the archive.
    #[error(
        "none of the keys given opens this file (or its header was changed); it is sealed to {sealed_to}"
    )]
    NoKey {
        /// The recipients named in the header.
        sealed_to: String,
    },
    /// An error of the seal around the archive.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// This crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn entry_limit(entry: &str, limit: u64, unit: &'static str) -> Self {
        let subject = format!("the entry {}", Quoted(entry));
        Self::Limit { subject, limit, unit }
    }

    pub(crate) fn archive_limit(limit: u64, unit: &'static str) -> Self {
        let subject = "the archive".to_owned();
        Self::Limit { subject, limit, unit }
    }

    pub(crate) fn from_zip(error: zip::result::ZipError) -> Self {
        match error {
            zip::result::ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Self::from_read(error)
            }
            other => Self::Zip(other),
        }
    }

    /// Unwraps the error that the `Read` of an entry or of a sealed file put into the `io::Error`. Any other error
    /// becomes [`Error::Read`].
    pub fn from_read(error: io::Error) -> Self {
        Self::unwrapped(error).unwrap_or_else(Self::Read)
    }

    /// This crate's error, or that of the seal below it, if the `io::Error` wraps one; otherwise the
    /// `io::Error`.
    pub(crate) fn unwrapped(error: io::Error) -> std::result::Result<Self, io::Error> {
        let own = error.downcast::<Self>();
        own.or_else(|other| other.downcast::<strongroom_age::Error>().map(Self::from))
    }
}

impl From<strongroom_age::Error> for Error {
    fn from(error: strongroom_age::Error) -> Self {
        match error {
            strongroom_age::Error::Sink(source) => Self::Sink(source),
            strongroom_age::Error::Read(source) => Self::Read(source),
            strongroom_age::Error::Seal(seal) => Self::Seal(seal),
        }
    }
}

impl From<strongroom_deflate::Error> for Error {
    fn from(error: strongroom_deflate::Error) -> Self {
        match error {
            strongroom_deflate::Error::Sink(source) => Self::Sink(source),
            strongroom_deflate::Error::Worker(source) => Self::Compressor(source),
            strongroom_deflate::Error::Level => Self::Usage("the compression level must be from 1 to 9"),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}
