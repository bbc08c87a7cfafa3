//! A restore from beginning to end.

use std::path::Path;
use std::time::Duration;

use serde_json::value::RawValue;
use strongroom_tables::SnapshotOptions;
use strongroom_tables::load::{
    Comparison, Inspection, Purpose, RestoreState, Stage, SwapLimits, Swapped, Target, TargetOptions, Wanted,
};
use strongroom_tables::{Error, Result};
use tokio::sync::mpsc;

use crate::restoring_sqlite::archive::{Archive, url, values};

pub const LIMITS: SwapLimits = SwapLimits { lock: Duration::from_secs(5), pause: None };

pub async fn target(path: &Path) -> Target {
    Target::open(&url(path), TargetOptions::new(SnapshotOptions::new("app"))).await.unwrap()
}

pub async fn inspect(path: &Path, wanted: &Wanted) -> Inspection {
    let mut target = target(path).await;
    let inspection = target.inspect(wanted).await.unwrap();
    target.close().await;
    inspection
}

/// A stage with all rows loaded.
pub async fn stage(path: &Path, archive: &Archive, wanted: &Wanted, purpose: &Purpose) -> Result<Stage> {
    let mut target = target(path).await;
    let inspection = target.inspect(wanted).await?;
    let mut stage = target.stage(wanted, &inspection.fingerprint, purpose).await?;
    for (at, table) in wanted.tables.iter().enumerate() {
        load(&mut stage, at, &table.schema, archive.rows(&table.schema.name)).await?;
    }
    Ok(stage)
}

pub async fn load(
    stage: &mut Stage,
    at: usize,
    table: &strongroom_archive::schema::TableSchema,
    rows: &[String],
) -> Result<u64> {
    let mut encoder = stage.encoder(at);
    let (chunks, received) = mpsc::channel(2);
    let (table, rows) = (table.clone(), rows.to_vec());
    let feeder = tokio::spawn(async move {
        for line in &rows {
            let values = values(&table, line);
            let values: Vec<&RawValue> = values.iter().map(AsRef::as_ref).collect();
            if let Some(chunk) = encoder.add(&values)? {
                chunks.send(chunk).await.ok();
            }
        }
        chunks.send(encoder.finish()).await.ok();
        Ok::<(), Error>(())
    });
    let loaded = stage.load(at, received).await;
    feeder.await.unwrap()?;
    loaded
}

/// Compares and leaves nothing behind.
pub async fn compare(path: &Path, archive: &Archive, wanted: &Wanted) -> Result<Comparison> {
    let mut stage = stage(path, archive, wanted, &Purpose::Trial).await?;
    let compared = stage.compare().await;
    stage.close().await;
    compared
}

/// Restores under an id; a failed restore is discarded.
pub async fn restore(path: &Path, archive: &Archive, wanted: &Wanted, id: &str) -> Result<Swapped> {
    restore_within(path, archive, wanted, id, &LIMITS).await
}

pub async fn restore_within(
    path: &Path,
    archive: &Archive,
    wanted: &Wanted,
    id: &str,
    limits: &SwapLimits,
) -> Result<Swapped> {
    let restored = async {
        let mut stage = stage(path, archive, wanted, &Purpose::Restore(id.to_owned())).await?;
        stage.keep().await?;
        stage.swap(limits).await
    };
    let restored = restored.await;
    if restored.is_err() {
        discard(path, id).await;
    }
    restored
}

pub async fn discard(path: &Path, id: &str) {
    let mut target = target(path).await;
    let state = target.state_of(id).await.unwrap().unwrap_or(RestoreState::Staged);
    assert!(target.discard(id, state).await.unwrap());
    target.close().await;
}
