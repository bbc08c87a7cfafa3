//! A plain loader: tables created from their schema entries alone, rows inserted from their JSON alone.
//!
//! It is written for these tests and shares no code with the reader, so that mistakes in the two do not cancel out.

pub mod postgres;
pub mod sqlite;

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use strongroom_archive::schema::TableSchema;
use strongroom_store::DatabaseUrl;
use strongroom_tables::{Block, SnapshotOptions, open_snapshot};
use tokio::sync::mpsc;

/// A row: column name to the value's JSON text.
pub type Row = BTreeMap<String, Box<RawValue>>;

/// Everything that an archive would contain of a database.
pub struct Export {
    pub tables: Vec<(TableSchema, Vec<Row>)>,
    pub skipped: Vec<String>,
    pub engine: String,
    pub kind: &'static str,
}

/// Reads a database through the public interface and passes the schema entries through JSON.
pub async fn export(url: &DatabaseUrl, options: &SnapshotOptions) -> Export {
    let mut snapshot = open_snapshot(url, options).await.unwrap();
    let info = snapshot.info().clone();
    let mut tables = Vec::new();
    for table in snapshot.tables().to_vec() {
        let (blocks, mut received) = mpsc::channel::<Block>(2);
        let gather = tokio::spawn(async move {
            let mut lines = Vec::new();
            while let Some(block) = received.recv().await {
                let text = String::from_utf8(block.bytes.to_vec()).unwrap();
                let found: Vec<String> = text.split(",\n").map(str::to_owned).collect();
                assert_eq!(found.len() as u64, block.rows);
                lines.extend(found);
            }
            lines
        });
        let count = snapshot.read_table(&table.name, None, &blocks).await.unwrap();
        drop(blocks);
        let lines = gather.await.unwrap();
        assert_eq!(count, lines.len() as u64, "{}", table.name);
        let rows = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let entry = serde_json::to_string(&table).unwrap();
        tables.push((serde_json::from_str(&entry).unwrap(), rows));
    }
    snapshot.close().await;
    let skipped = info.skipped.into_iter().map(|skipped| skipped.name).collect();
    Export { tables, skipped, engine: info.engine, kind: info.kind }
}

/// A quoted SQL identifier.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names of columns whose values are given, not generated.
pub fn given_columns(table: &TableSchema) -> Vec<&str> {
    table
        .columns
        .iter()
        .filter(|column| column.generated.is_none())
        .map(|column| column.name.as_str())
        .collect()
}
