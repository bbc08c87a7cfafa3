//! The contents of a database's archive, without an archive file.

use bytes::Bytes;
use serde_json::value::RawValue;
use strongroom_archive::RowReader;
use strongroom_archive::manifest::{Snapshot as Kind, SourceRecord};
use strongroom_archive::schema::{DatabaseSchema, TableSchema};
use strongroom_store::DatabaseUrl;
use strongroom_tables::load::{Mode, Wanted, WantedTable};
use strongroom_tables::{Block, Snapshot, SnapshotOptions, open_snapshot};
use tokio::sync::mpsc;

/// Everything that was read from one database.
pub struct Archive {
    pub tables: Vec<Table>,
    pub record: SourceRecord,
    pub views: DatabaseSchema,
    pub large_objects: Vec<(u32, Vec<u8>)>,
}

pub struct Table {
    pub schema: TableSchema,
    /// Each row as its JSON.
    pub rows: Vec<String>,
}

impl Archive {
    pub async fn of(url: &str) -> Self {
        Self::with(url, &SnapshotOptions::new("app")).await
    }

    pub async fn with(url: &str, options: &SnapshotOptions) -> Self {
        let mut snapshot = open_snapshot(&DatabaseUrl::parse(url).unwrap(), options).await.unwrap();
        let outside = snapshot.outside().clone();
        let engine = snapshot.info().engine.clone();
        let mut tables = Vec::new();
        for schema in snapshot.tables().to_vec() {
            let rows = read(&mut snapshot, &schema.name).await;
            let entry = serde_json::to_string(&schema).unwrap();
            tables.push(Table { schema: serde_json::from_str(&entry).unwrap(), rows });
        }
        let mut large_objects = Vec::new();
        for oid in outside.large_objects {
            large_objects.push((oid, read_object(&mut snapshot, oid).await));
        }
        snapshot.close().await;
        let record = SourceRecord {
            encoding: Some(outside.encoding),
            extensions: outside.extensions,
            migrations: outside.migrations,
            sequences: outside.sequences,
            ..SourceRecord::new("app", "postgres", &engine, Kind::RepeatableRead)
        };
        Self { tables, record, views: outside.schema, large_objects }
    }

    /// All of it.
    pub fn wanted(&self, mode: Mode) -> Wanted {
        let table = |table: &Table| WantedTable {
            schema: table.schema.clone(),
            rows: table.rows.len() as u64,
            is_partial: false,
        };
        Wanted {
            mode,
            tables: self.tables.iter().map(table).collect(),
            record: self.record.clone(),
            views: Some(self.views.clone()),
            large_objects: self.large_objects.iter().map(|(oid, _)| *oid).collect(),
            create_tables: false,
            accept_cascade: false,
            accept_pause: true,
        }
    }

    pub fn table(&self, name: &str) -> &Table {
        self.tables.iter().find(|table| table.schema.name == name).unwrap()
    }

    /// Only these tables.
    pub fn only(mut self, names: &[&str]) -> Self {
        self.tables.retain(|table| names.contains(&table.schema.name.as_str()));
        self
    }

    /// Each table's name, and its rows sorted.
    pub fn content(&self) -> Vec<(String, Vec<String>)> {
        let content = self.tables.iter().map(|table| {
            let mut rows = table.rows.clone();
            rows.sort();
            (table.schema.name.clone(), rows)
        });
        content.collect()
    }
}

impl Table {
    /// Calls `take` with the values of each row, as an archive reader does.
    pub fn each(&self, mut take: impl FnMut(&[&RawValue])) {
        let text = if self.rows.is_empty() {
            "[]\n".to_owned()
        } else {
            format!("[\n{}\n]\n", self.rows.join(",\n"))
        };
        let mut reader = RowReader::open(text.as_bytes(), "rows".to_owned(), &self.schema, u64::MAX);
        while let Some(row) = reader.next_row().unwrap() {
            take(&row);
        }
    }
}

async fn read(snapshot: &mut Snapshot, table: &str) -> Vec<String> {
    let (blocks, mut received) = mpsc::channel::<Block>(2);
    let gather = tokio::spawn(async move {
        let mut rows = Vec::new();
        while let Some(block) = received.recv().await {
            let text = String::from_utf8(block.bytes.to_vec()).unwrap();
            rows.extend(text.split(",\n").map(str::to_owned));
        }
        rows
    });
    let count = snapshot.read_table(table, None, &blocks).await.unwrap();
    drop(blocks);
    let rows = gather.await.unwrap();
    assert_eq!(rows.len() as u64, count, "{table}");
    rows
}

async fn read_object(snapshot: &mut Snapshot, oid: u32) -> Vec<u8> {
    let (pieces, mut received) = mpsc::channel::<Bytes>(2);
    let gather = tokio::spawn(async move {
        let mut bytes = Vec::new();
        while let Some(piece) = received.recv().await {
            bytes.extend_from_slice(&piece);
        }
        bytes
    });
    snapshot.read_large_object(oid, &pieces).await.unwrap();
    drop(pieces);
    gather.await.unwrap()
}
