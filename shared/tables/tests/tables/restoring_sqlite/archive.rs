//! The contents of a database's archive, kept in memory.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::value::RawValue;
use strongroom_archive::manifest::{Snapshot, SourceRecord};
use strongroom_archive::schema::{DatabaseSchema, TableSchema};
use strongroom_store::DatabaseUrl;
use strongroom_tables::load::{Mode, Wanted, WantedTable};
use strongroom_tables::{Block, SnapshotOptions, open_snapshot};
use tokio::sync::mpsc;

/// Tables, each with its rows as lines of JSON.
#[derive(Debug, Clone)]
pub struct Archive {
    pub tables: Vec<(TableSchema, Vec<String>)>,
    pub record: SourceRecord,
    pub views: DatabaseSchema,
}

pub fn url(path: &Path) -> DatabaseUrl {
    DatabaseUrl::sqlite_file(path).unwrap()
}

/// Reads a database as an export does.
pub async fn export(path: &Path) -> Archive {
    export_with(path, &SnapshotOptions::new("app")).await
}

pub async fn export_with(path: &Path, options: &SnapshotOptions) -> Archive {
    let mut snapshot = open_snapshot(&url(path), options).await.unwrap();
    let outside = snapshot.outside().clone();
    let info = snapshot.info().clone();
    let mut record = SourceRecord::new("app", "sqlite", &info.engine, Snapshot::ReadTransaction);
    record.sequences = outside.sequences;
    record.user_version = outside.user_version;
    record.application_id = outside.application_id;
    record.migrations = outside.migrations;
    let mut tables = Vec::new();
    for table in snapshot.tables().to_vec() {
        let (blocks, mut received) = mpsc::channel::<Block>(2);
        let gather = tokio::spawn(async move {
            let mut lines = Vec::new();
            while let Some(block) = received.recv().await {
                let text = String::from_utf8(block.bytes.to_vec()).unwrap();
                lines.extend(text.split(",\n").map(str::to_owned));
            }
            lines
        });
        snapshot.read_table(&table.name, None, &blocks).await.unwrap();
        drop(blocks);
        tables.push((table, gather.await.unwrap()));
    }
    snapshot.close().await;
    Archive { tables, record, views: outside.schema }
}

impl Archive {
    /// Everything, to be restored in this mode.
    pub fn wanted(&self, mode: Mode) -> Wanted {
        let table = |(schema, rows): &(TableSchema, Vec<String>)| WantedTable {
            schema: schema.clone(),
            rows: rows.len() as u64,
            is_partial: false,
        };
        Wanted {
            mode,
            tables: self.tables.iter().map(table).collect(),
            record: self.record.clone(),
            views: Some(self.views.clone()),
            large_objects: Vec::new(),
            create_tables: false,
            accept_cascade: false,
            accept_pause: false,
        }
    }

    /// Only the tables with these names.
    pub fn only(&self, names: &[&str]) -> Self {
        let mut archive = self.clone();
        archive.tables.retain(|(table, _)| names.contains(&table.name.as_str()));
        archive
    }

    pub fn rows(&self, table: &str) -> &[String] {
        &self.tables.iter().find(|(schema, _)| schema.name == table).unwrap().1
    }

    /// Checks that both have the same rows in every table, in any order. A failure shows one row.
    pub fn equals(&self, other: &Self) {
        let names = |archive: &Self| -> Vec<String> {
            archive.tables.iter().map(|(table, _)| table.name.clone()).collect()
        };
        assert_eq!(names(self), names(other));
        for ((table, rows), (_, others)) in self.tables.iter().zip(&other.tables) {
            let (mut rows, mut others) = (rows.clone(), others.clone());
            rows.sort();
            others.sort();
            let differing = rows.iter().zip(&others).find(|(one, other)| one != other);
            let cut = |text: &str| text.chars().take(300).collect::<String>();
            if let Some((one, other)) = differing {
                panic!("{}: {} is not {}", table.name, cut(one), cut(other));
            }
            assert_eq!(rows.len(), others.len(), "{}", table.name);
        }
    }
}

/// The values of a row in column order.
pub fn values(table: &TableSchema, line: &str) -> Vec<Box<RawValue>> {
    let mut row: BTreeMap<String, Box<RawValue>> = serde_json::from_str(line).unwrap();
    table.columns.iter().map(|column| row.remove(&column.name).unwrap()).collect()
}
