//! Databases as they occur in the field: schemas that depend on their application, users with few rights, poolers in between,
//! rows that are too long.
//!
//! The PostgreSQL half needs `TEST_DATABASE_URL`: a superuser's URL on a server where databases may be created.
mod partitions;
mod postgres;
mod server;
mod sqlite;
mod stopping;

use strongroom_store::DatabaseUrl;
use strongroom_tables::{Block, Result, Since, SnapshotInfo, SnapshotOptions, open_snapshot};
use tokio::sync::mpsc;

/// One table's rows, one per line, and the snapshot's information afterwards.
async fn read(
    url: &str,
    options: &SnapshotOptions,
    table: &str,
    since: Option<&Since>,
) -> Result<(Vec<String>, SnapshotInfo)> {
    let mut snapshot = open_snapshot(&DatabaseUrl::parse(url).unwrap(), options).await?;
    let (blocks, mut received) = mpsc::channel::<Block>(1);
    let gather = tokio::spawn(async move {
        let mut lines: Vec<String> = Vec::new();
        while let Some(block) = received.recv().await {
            let text = String::from_utf8(block.bytes.to_vec()).unwrap();
            lines.extend(text.split(",\n").map(str::to_owned));
        }
        lines
    });
    let read = snapshot.read_table(table, since, &blocks).await;
    drop(blocks);
    let lines = gather.await.unwrap();
    assert_eq!(read?, lines.len() as u64);
    let info = snapshot.info().clone();
    snapshot.close().await;
    Ok((lines, info))
}

/// `name: reason` for everything that is left out.
fn skipped(info: &SnapshotInfo) -> Vec<String> {
    info.skipped.iter().map(|skipped| format!("{}: {}", skipped.name, skipped.reason)).collect()
}

fn everything() -> SnapshotOptions {
    SnapshotOptions::new("shop")
}

fn excluding(tables: &[&str]) -> SnapshotOptions {
    let exclude = tables.iter().map(|name| (*name).to_owned()).collect();
    SnapshotOptions { exclude, exclude_must_exist: true, ..everything() }
}
