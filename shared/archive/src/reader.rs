//! Opening an archive: first its structure, then the manifest, then entries one by one.
//!
//! After [`ArchiveReader::open`] the ZIP complies with the policy, and its entries are exactly those listed
//! in the manifest. An entry's *content* is known to be correct only once it was read to its end.

mod entry;
mod frame;

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use zip::ZipReadOptions;
use zip::read::ZipArchiveMetadata;

pub use entry::EntryReader;

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::manifest::{EntryKind, EntryRecord, MANIFEST_ENTRY, Manifest, ManifestSignature, SIGNATURE_ENTRY};
use crate::rows::RowReader;
use crate::rows::schema::{DatabaseSchema, TableSchema};
use crate::zip::{CheckedZip, open_zip};

/// A signature line is short; this is its limit in FORMAT.md §1.
const SIGNATURE_BYTES: u64 = 64 << 10;

/// An archive in a seekable file.
pub struct ArchiveReader<R> {
    reader: R,
    metadata: Arc<ZipArchiveMetadata>,
    /// Index of each entry in the ZIP, by name.
    places: HashMap<String, usize>,
    manifest: Manifest,
    /// As stored in the archive: the bytes that a signature covers.
    manifest_json: Vec<u8>,
    /// Start of the manifest's local header: its `zip_sha256` covers the bytes before it.
    manifest_start: u64,
    tables: HashMap<String, TableEntries>,
    limits: Limits,
}

/// The two entries of a table, as indexes into the manifest's list.
#[derive(Default)]
struct TableEntries {
    rows: usize,
    schema: usize,
}

impl<R: Read + Seek> ArchiveReader<R> {
    /// Opens an archive, checks its structure and its manifest, and reads nothing else.
    pub fn open(reader: R, limits: Limits) -> Result<Self> {
        let CheckedZip { metadata, mut reader, names, entries, directory_start } = open_zip(reader, &limits)?;
        let places: HashMap<String, usize> =
            names.iter().enumerate().map(|(place, name)| (name.clone(), place)).collect();
        let Some(place) = places.get(MANIFEST_ENTRY) else {
            return Err(Error::NoManifest);
        };
        let manifest_json = read_manifest(&mut reader, &metadata, *place, &limits)?;
        let manifest = Manifest::parse(&manifest_json)?;
        check_signature(&mut reader, &metadata, &places)?;
        check_entries(&manifest, &places, &limits)?;
        check_sizes(&manifest, &metadata, &places)?;
        let manifest_start = frame::check(&mut reader, &names, &entries, directory_start)?;
        let tables = index_tables(&manifest);
        Ok(Self { reader, metadata, places, manifest, manifest_json, manifest_start, tables, limits })
    }

    /// The archive's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The bytes of `manifest.json`, which a signature covers.
    pub fn manifest_json(&self) -> &[u8] {
        &self.manifest_json
    }

    /// The signature of the manifest; `None` if the archive has none. It is not verified here.
    ///
    /// # Errors
    /// [`Error::Signature`] if the entry is not a signature, [`Error::OtherSignature`] if it belongs to
    /// another archive.
    pub fn signature(&mut self) -> Result<Option<ManifestSignature>> {
        let Some(place) = self.places.get(SIGNATURE_ENTRY) else {
            return Ok(None);
        };
        let entry = self.metadata.entry(*place).map_err(Error::from_zip)?;
        let file = entry.with_reader(&mut self.reader, ZipReadOptions::new()).map_err(Error::from_zip)?;
        let mut text = String::new();
        let read = file.take(SIGNATURE_BYTES).read_to_string(&mut text);
        read.map_err(|_| Error::Signature)?;
        let signature: ManifestSignature = text.parse().map_err(|()| Error::Signature)?;
        if signature.archive_id() != self.manifest.archive_id {
            return Err(Error::OtherSignature { archive_id: signature.archive_id().to_owned() });
        }
        Ok(Some(signature))
    }

    /// All entries but the manifest and its signature, in archive order.
    pub fn entries(&self) -> &[EntryRecord] {
        &self.manifest.entries
    }

    /// Reads one entry. Bytes are returned before the digest is known: they are valid only once the end was
    /// reached without an error.
    pub fn entry(&mut self, name: &str) -> Result<EntryReader<'_, R>> {
        let missing = || Error::Missing { entry: name.to_owned() };
        let record = self.manifest.entries.iter().find(|entry| entry.name == name);
        let record = record.ok_or_else(missing)?;
        let place = *self.places.get(name).ok_or_else(missing)?;
        open_entry(&mut self.reader, &self.metadata, place, record, self.limits.ratio)
    }

    /// The description of a table.
    pub fn read_schema(&mut self, table: &str) -> Result<TableSchema> {
        let no_schema = || Error::NoSchema { table: table.to_owned() };
        let index = self.tables.get(table).ok_or_else(no_schema)?.schema;
        let json = self.read_small(index)?;
        let name = &self.manifest.entries[index].name;
        let schema = serde_json::from_slice::<TableSchema>(&json);
        let schema = schema.map_err(|source| Error::Json { entry: name.clone(), source })?;
        if schema.name != table {
            return Err(Error::OtherTable { entry: name.clone(), found: schema.name });
        }
        Ok(schema)
    }

    /// Objects of a source's database other than tables; `None` if the archive does not record them.
    ///
    /// # Errors
    /// Those of reading any entry.
    pub fn database(&mut self, source: &str) -> Result<Option<DatabaseSchema>> {
        let is_database = |entry: &EntryRecord| {
            entry.kind == EntryKind::Database && entry.source.as_deref() == Some(source)
        };
        match self.manifest.entries.iter().position(is_database) {
            Some(index) => self.read_database(index).map(Some),
            None => Ok(None),
        }
    }

    /// Objects of a database other than tables, by the index of its entry.
    pub(crate) fn read_database(&mut self, index: usize) -> Result<DatabaseSchema> {
        let json = self.read_small(index)?;
        let record = &self.manifest.entries[index];
        let database = serde_json::from_slice::<DatabaseSchema>(&json);
        let database = database.map_err(|source| Error::Json { entry: record.name.clone(), source })?;
        if record.source.as_ref() != Some(&database.source) {
            return Err(Error::OtherSource { entry: record.name.clone(), found: database.source });
        }
        Ok(database)
    }

    /// The key ring; `None` if there is none, or if it has more than `most` bytes.
    ///
    /// # Errors
    /// Those of reading any entry.
    pub fn ring(&mut self, most: u64) -> Result<Option<Vec<u8>>> {
        self.only(EntryKind::Ring, most)
    }

    /// The backup service's schedules; `None` if there are none, or if the document has more than `most`
    /// bytes.
    ///
    /// # Errors
    /// Those of reading any entry.
    pub fn schedules(&mut self, most: u64) -> Result<Option<Vec<u8>>> {
        self.only(EntryKind::Schedules, most)
    }

    fn only(&mut self, kind: EntryKind, most: u64) -> Result<Option<Vec<u8>>> {
        let is_it = |entry: &EntryRecord| entry.kind == kind && entry.bytes <= most;
        match self.manifest.entries.iter().position(is_it) {
            Some(index) => self.read_small(index).map(Some),
            None => Ok(None),
        }
    }

    /// The rows of the table that `schema` describes.
    pub fn rows(&mut self, schema: &TableSchema) -> Result<RowReader<EntryReader<'_, R>>> {
        let no_schema = || Error::NoSchema { table: schema.name.clone() };
        let index = self.tables.get(&schema.name).ok_or_else(no_schema)?.rows;
        let name = self.manifest.entries[index].name.clone();
        let row_bytes = self.limits.row_bytes;
        Ok(RowReader::open(self.entry_at(index)?, name, schema, row_bytes))
    }

    /// The whole content of an entry to which [`Limits::schema_bytes`] applies.
    pub(crate) fn read_small(&mut self, index: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.entry_at(index)?.read_to_end(&mut bytes).map_err(Error::from_read)?;
        Ok(bytes)
    }

    /// The bytes that [`Manifest::zip_sha256`] covers.
    pub(crate) fn before_manifest(&mut self) -> Result<impl Read> {
        self.reader.seek(SeekFrom::Start(0)).map_err(Error::from_read)?;
        Ok(self.reader.by_ref().take(self.manifest_start))
    }

    /// The manifest's records of a table's two entries.
    pub(crate) fn records_of(&self, table: &str) -> impl Iterator<Item = &EntryRecord> {
        let places = self.tables.get(table).map(|entries| [entries.schema, entries.rows]);
        places.into_iter().flatten().filter_map(|place| self.manifest.entries.get(place))
    }

    /// The manifest's row count for a table.
    pub(crate) fn rows_of(&self, table: &str) -> u64 {
        self.records_of(table).find_map(|record| record.rows).unwrap_or_default()
    }

    /// An entry by its index in [`Self::entries`], read as by [`Self::entry`].
    ///
    /// # Errors
    /// [`Error::Missing`] for an invalid index.
    pub fn entry_at(&mut self, index: usize) -> Result<EntryReader<'_, R>> {
        let record = self.manifest.entries.get(index);
        let record = record.ok_or_else(|| Error::Missing { entry: format!("entry {index}") })?;
        let missing = || Error::Missing { entry: record.name.clone() };
        let place = *self.places.get(&record.name).ok_or_else(missing)?;
        open_entry(&mut self.reader, &self.metadata, place, record, self.limits.ratio)
    }
}

fn open_entry<'a, R: Read + Seek>(
    reader: &'a mut R,
    metadata: &'a ZipArchiveMetadata,
    place: usize,
    record: &'a EntryRecord,
    ratio: u64,
) -> Result<EntryReader<'a, R>> {
    let entry = metadata.entry(place).map_err(Error::from_zip)?;
    let file = entry.with_reader(reader, ZipReadOptions::new()).map_err(Error::from_zip)?;
    Ok(EntryReader::new(file, record, ratio))
}

fn read_manifest<R: Read + Seek>(
    reader: &mut R,
    metadata: &ZipArchiveMetadata,
    place: usize,
    limits: &Limits,
) -> Result<Vec<u8>> {
    let entry = metadata.entry(place).map_err(Error::from_zip)?;
    let file = entry.with_reader(reader, ZipReadOptions::new()).map_err(Error::from_zip)?;
    let declared = file.size();
    let mut json = Vec::new();
    let read = file.take(limits.manifest_bytes + 1).read_to_end(&mut json);
    read.map_err(|source| Error::Damaged { entry: MANIFEST_ENTRY.to_owned(), source })?;
    if json.len() as u64 > limits.manifest_bytes {
        return Err(Error::entry_limit(MANIFEST_ENTRY, limits.manifest_bytes, "bytes"));
    }
    if json.len() as u64 != declared {
        let detail = format!("its header gives it {declared} bytes, and it has {}", json.len());
        return Err(Error::Inconsistent { entry: MANIFEST_ENTRY.to_owned(), detail });
    }
    Ok(json)
}

/// Checks the CRC of `manifest.sig`: nothing else detects damage to that entry if nobody verifies the signature.
fn check_signature<R: Read + Seek>(
    reader: &mut R,
    metadata: &ZipArchiveMetadata,
    places: &HashMap<String, usize>,
) -> Result<()> {
    let Some(place) = places.get(SIGNATURE_ENTRY) else {
        return Ok(());
    };
    let entry = metadata.entry(*place).map_err(Error::from_zip)?;
    if entry.size() > SIGNATURE_BYTES {
        return Err(Error::entry_limit(SIGNATURE_ENTRY, SIGNATURE_BYTES, "bytes"));
    }
    let file = entry.with_reader(reader, ZipReadOptions::new()).map_err(Error::from_zip)?;
    let read = io::copy(&mut file.take(SIGNATURE_BYTES + 1), &mut io::sink());
    let damaged = |source| Error::Damaged { entry: SIGNATURE_ENTRY.to_owned(), source };
    read.map(drop).map_err(|error| Error::unwrapped(error).unwrap_or_else(damaged))
}

/// The entries are exactly those of the manifest, and none is declared to exceed a limit.
fn check_entries(manifest: &Manifest, places: &HashMap<String, usize>, limits: &Limits) -> Result<()> {
    let mut unlisted: HashSet<&str> = places.keys().map(String::as_str).collect();
    unlisted.remove(MANIFEST_ENTRY);
    unlisted.remove(SIGNATURE_ENTRY);
    let mut total = 0_u64;
    for record in &manifest.entries {
        if !unlisted.remove(record.name.as_str()) {
            return Err(Error::Missing { entry: record.name.clone() });
        }
        limits.check_entry(&record.name, record.bytes)?;
        if record.kind.is_small() && record.bytes > limits.schema_bytes {
            return Err(Error::entry_limit(&record.name, limits.schema_bytes, "bytes"));
        }
        total = total.saturating_add(record.bytes);
    }
    if let Some(name) = unlisted.into_iter().min() {
        return Err(Error::Unlisted { entry: name.to_owned() });
    }
    limits.check_total(total)
}

/// Tools that do not know the manifest rely on the headers, which must not contradict it.
fn check_sizes(
    manifest: &Manifest,
    metadata: &ZipArchiveMetadata,
    places: &HashMap<String, usize>,
) -> Result<()> {
    for record in &manifest.entries {
        let Some(place) = places.get(&record.name) else { continue };
        let size = metadata.entry(*place).map_err(Error::from_zip)?.size();
        if size != record.bytes {
            let detail = format!("its header gives it {size} bytes, and manifest.json {}", record.bytes);
            return Err(Error::Inconsistent { entry: record.name.clone(), detail });
        }
    }
    Ok(())
}

fn index_tables(manifest: &Manifest) -> HashMap<String, TableEntries> {
    let mut tables: HashMap<String, TableEntries> = HashMap::new();
    for (index, record) in manifest.entries.iter().enumerate() {
        let Some(table) = &record.table else { continue };
        match record.kind {
            EntryKind::Table => tables.entry(table.clone()).or_default().rows = index,
            EntryKind::Schema => tables.entry(table.clone()).or_default().schema = index,
            _ => {}
        }
    }
    tables
}
