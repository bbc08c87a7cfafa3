//! A small archive, and helpers for tests that make one.

use std::io::{Cursor, Read, Seek};

use sha2::{Digest as _, Sha256};
use strongroom_archive::manifest::{AuditHead, Partial, Skipped, Snapshot, SourceRecord};
use strongroom_archive::schema::{Column, Engine, TableSchema};
use strongroom_archive::{
    ArchiveReader, ArchiveWriter, Compression, Error, Limits, ManifestHead, ManifestSignature, Report, verify,
};
use strongroom_crypto::Statement;

/// A table with its encoded rows.
pub(crate) struct Table {
    pub(crate) schema: TableSchema,
    pub(crate) rows: Vec<String>,
}

pub(crate) fn table(name: &str, columns: &[&str], rows: &[&str]) -> Table {
    let columns = columns.iter().map(|column| Column {
        name: (*column).to_owned(),
        type_name: "text".to_owned(),
        nullable: true,
        ..Column::default()
    });
    let empty = TableSchema::empty("gateway", Engine::Sqlite, name);
    let schema = TableSchema { columns: columns.collect(), ..empty };
    Table { schema, rows: rows.iter().map(|row| (*row).to_owned()).collect() }
}

pub(crate) fn two_tables() -> Vec<Table> {
    let users = [r#"{"id":1,"name":"Ann"}"#, r#"{"id":2,"name":{"$blob":"AP8="}}"#];
    vec![table("users", &["id", "name"], &users), table("empty", &["id"], &[])]
}

pub(crate) fn head() -> ManifestHead {
    ManifestHead {
        app_name: "PromptGate".to_owned(),
        app_url: "https://gateway.example.com".to_owned(),
        created_at: "2026-05-06T10:14:22.75Z".parse().unwrap(),
        options: [("include_gateway_logs".to_owned(), false)].into_iter().collect(),
        archive_id: "019dfc9c-2b9d-7000-8000-0123456789ab".to_owned(),
        deployment_id: Some("0123456789abcdef".to_owned()),
        producer: "strongroom-backup 0.1.0".to_owned(),
        root_key_id: Some("0f1e2d3c4b5a6978".to_owned()),
        kids: vec!["00112233445566ff".to_owned()],
        encrypted_columns: Vec::new(),
        audit_head: Some(AuditHead { chain: String::new(), sequence: 7, mac: "ab".repeat(32) }),
        sources: vec![SourceRecord {
            name: "gateway".to_owned(),
            kind: "sqlite".to_owned(),
            engine: "SQLite 3.51.3".to_owned(),
            snapshot: Snapshot::ReadTransaction,
            encoding: Some("UTF-8".to_owned()),
            extensions: Vec::new(),
            migrations: None,
            user_version: Some(3),
            application_id: None,
            sequences: Vec::new(),
            skipped: vec![Skipped { name: "tmp".to_owned(), reason: "excluded".to_owned() }],
        }],
        partial: Some(Partial { tables: vec!["users".to_owned()] }),
    }
}

pub(crate) fn write(tables: &[Table], limits: Limits) -> Result<Vec<u8>, Error> {
    let (_, bytes) = started(tables, limits)?.finish(head())?;
    Ok(bytes)
}

/// The same with a signature of the manifest.
pub(crate) fn write_signed(
    tables: &[Table],
    limits: Limits,
    sign: impl FnOnce(&[u8]) -> ManifestSignature,
) -> Result<Vec<u8>, Error> {
    let (_, bytes) = started(tables, limits)?.finish_signed(head(), |manifest| Ok(sign(manifest)))?;
    Ok(bytes)
}

/// Everything except the end.
fn started(tables: &[Table], limits: Limits) -> Result<ArchiveWriter<Vec<u8>>, Error> {
    let mut writer = ArchiveWriter::create(Vec::new(), limits, Compression::default());
    for table in tables {
        writer.write_schema(&table.schema)?;
        writer.start_table(&table.schema, None)?;
        // Two blocks if there are enough rows.
        let (first, second) = table.rows.split_at(table.rows.len() / 2);
        for block in [first, second] {
            writer.write_rows(block.join(",\n").as_bytes(), block.len() as u64)?;
        }
        writer.finish_table()?;
    }
    writer.write_ring(br#"{"keys":[]}"#)?;
    Ok(writer)
}

pub(crate) fn open(bytes: &[u8]) -> Result<ArchiveReader<Cursor<&[u8]>>, Error> {
    ArchiveReader::open(Cursor::new(bytes), Limits::V1)
}

pub(crate) fn check(bytes: &[u8], limits: Limits) -> Result<Report, Error> {
    let mut archive = ArchiveReader::open(Cursor::new(bytes), limits)?;
    verify(&mut archive, &mut |_| {})
}

/// Every entry's name and bytes, in manifest order.
pub(crate) fn contents(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut archive = open(bytes)?;
    let names: Vec<String> = archive.entries().iter().map(|entry| entry.name.clone()).collect();
    let mut all = Vec::new();
    for name in names {
        let mut content = Vec::new();
        let read = archive.entry(&name)?.read_to_end(&mut content);
        read.map_err(Error::Read)?;
        all.push((name, content));
    }
    Ok(all)
}

/// Verifies a signature as a reader of the archive does.
pub(crate) fn verify_signature<R: Read + Seek>(
    public: &[u8; 32],
    archive: &ArchiveReader<R>,
    signature: &ManifestSignature,
) -> strongroom_crypto::Result<()> {
    let statement = Statement::ArchiveManifest {
        archive_id: signature.archive_id(),
        time: &signature.time_text(),
        digest: &Sha256::digest(archive.manifest_json()).into(),
    };
    strongroom_crypto::verify(public, &statement, signature.bytes())
}
