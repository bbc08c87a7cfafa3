//! Reading: the product's readers compared with the database alone.

use bytes::Bytes;
use strongroom_store::DatabaseUrl;
use strongroom_tables::{Block, SnapshotOptions, open_snapshot};
use strongroom_testkit::TestDb;
use tokio::sync::mpsc;

use super::{Clock, Cost, ROUNDS, TABLE, copying, sqlite_json};

/// Blocks kept for the stages after reading: about 128 MiB.
const KEPT: usize = 1000;

/// A table as JSON.
pub(super) struct Json {
    /// The first rows.
    pub(super) blocks: Vec<Block>,
    /// Bytes of all rows.
    pub(super) bytes: u64,
}

/// Measures, and returns the PostgreSQL rows that the later stages process.
pub(super) async fn measure(postgres: &TestDb, sqlite: &TestDb) -> Json {
    let (json, read) = read(&postgres.url()).await;
    read.print("read PostgreSQL, as JSON", json.bytes, json.bytes);
    for connections in 1..=3 {
        let mut costs = Vec::new();
        for _ in 0..ROUNDS {
            costs.push(copying::drain(postgres.url_text(), connections).await);
        }
        let name = format!("  COPY alone, connections: {connections}");
        let drained = Cost::middle(costs);
        drained.print(&name, json.bytes, json.bytes);
        if connections == 1 {
            // Nothing waits in this step, so its processor time is its duration.
            let own = read.own.saturating_sub(drained.own);
            let alone = Cost { seconds: own.as_secs_f64(), own, all: own };
            alone.print("  JSON from binary COPY, by difference", json.bytes, json.bytes);
        }
    }
    let (from_sqlite, read) = self::read(&sqlite.url()).await;
    read.print("read SQLite, as JSON, row by row", from_sqlite.bytes, json.bytes);
    sqlite_json::measure(&sqlite.file().unwrap(), json.bytes).await;
    json
}

/// Reads the whole table and keeps its first blocks.
async fn read(url: &DatabaseUrl) -> (Json, Cost) {
    let mut costs = Vec::new();
    let mut json = Json { blocks: Vec::with_capacity(KEPT), bytes: 0 };
    for _ in 0..ROUNDS {
        json = Json { blocks: Vec::with_capacity(KEPT), bytes: 0 };
        costs.push(read_once(url, &mut json).await);
    }
    (json, Cost::middle(costs))
}

async fn read_once(url: &DatabaseUrl, json: &mut Json) -> Cost {
    let mut snapshot = open_snapshot(url, &SnapshotOptions::new("bench")).await.unwrap();
    let (sender, mut received) = mpsc::channel::<Block>(4);
    let clock = Clock::start();
    let reader = tokio::spawn(async move {
        snapshot.read_table(TABLE, None, &sender).await.unwrap();
    });
    while let Some(block) = received.recv().await {
        json.bytes += block.bytes.len() as u64;
        if json.blocks.len() < KEPT {
            // Copied, or the allocator would be measured too.
            let bytes = Bytes::copy_from_slice(&block.bytes);
            json.blocks.push(Block { bytes, rows: block.rows });
        }
    }
    reader.await.unwrap();
    clock.stop()
}
