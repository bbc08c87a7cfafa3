//! A restore, step by step, as in a service.

use std::time::Duration;

use bytes::Bytes;
use strongroom_store::DatabaseUrl;
use strongroom_tables::load::{
    Chunk, Comparison, Encoder, Purpose, RestoreState, RolledBack, Stage, SwapLimits, Swapped, Target,
    TargetOptions, Wanted,
};
use strongroom_tables::{Error, Result, SnapshotOptions};
use tokio::sync::mpsc;

use crate::restoring::archive::{Archive, Table};

pub const LIMITS: SwapLimits = SwapLimits { lock: Duration::from_secs(10), pause: None };
pub const ID: &str = "0192f0c1-2345-7abc-8def-0123456789ab";

pub async fn target(url: &str) -> Target {
    let options = TargetOptions::new(SnapshotOptions::new("app"));
    Target::open(&DatabaseUrl::parse(url).unwrap(), options).await.unwrap()
}

/// All steps of a restore.
pub async fn restore(url: &str, archive: &Archive, wanted: &Wanted) -> Result<Swapped> {
    restore_as(ID, url, archive, wanted).await
}

/// Like [`restore`], under another id.
pub async fn restore_as(id: &str, url: &str, archive: &Archive, wanted: &Wanted) -> Result<Swapped> {
    let mut stage = staged(url, archive, wanted, &Purpose::Restore(id.to_owned())).await?;
    stage.compare().await?;
    stage.keep().await?;
    stage.swap(&LIMITS).await
}

/// The findings of a trial.
pub async fn tried(url: &str, archive: &Archive, wanted: &Wanted) -> Result<Comparison> {
    let mut stage = staged(url, archive, wanted, &Purpose::Trial).await?;
    let compared = stage.compare().await;
    stage.close().await;
    compared
}

/// A stage with all rows loaded.
pub async fn staged(url: &str, archive: &Archive, wanted: &Wanted, purpose: &Purpose) -> Result<Stage> {
    let mut target = target(url).await;
    let found = target.inspect(wanted).await?;
    let mut stage = target.stage(wanted, &found.fingerprint, purpose).await?;
    for (at, table) in archive.tables.iter().enumerate() {
        load(&mut stage, at, table).await?;
    }
    for (oid, bytes) in &archive.large_objects {
        let (pieces, received) = mpsc::channel(2);
        let bytes = bytes.clone();
        let feed = tokio::spawn(async move {
            for piece in bytes.chunks(100_000) {
                pieces.send(Bytes::copy_from_slice(piece)).await.unwrap();
            }
            pieces.send(Bytes::new()).await.unwrap();
        });
        stage.load_large_object(*oid, received).await?;
        feed.await.unwrap();
    }
    Ok(stage)
}

pub async fn load(stage: &mut Stage, at: usize, table: &Table) -> Result<()> {
    let chunks = encoded(stage.encoder(at), table)?;
    let (sender, received) = mpsc::channel(2);
    let feed = tokio::spawn(async move {
        for chunk in chunks {
            if sender.send(chunk).await.is_err() {
                return;
            }
        }
    });
    let loaded = stage.load(at, received).await?;
    feed.await.unwrap();
    assert_eq!(loaded, table.rows.len() as u64, "{}", table.schema.name);
    Ok(())
}

fn encoded(mut encoder: Encoder, table: &Table) -> Result<Vec<Chunk>> {
    let (mut chunks, mut failed) = (Vec::new(), None);
    table.each(|row| match encoder.add(row) {
        Ok(chunk) => chunks.extend(chunk),
        Err(error) => failed = failed.take().or(Some(error)),
    });
    if let Some(error) = failed {
        return Err(error);
    }
    chunks.push(encoder.finish());
    Ok(chunks)
}

/// Rolls back a restore. A preceding check must give the same result.
pub async fn roll_back(url: &str, id: &str, discard_changes: bool) -> Result<RolledBack> {
    let mut target = target(url).await;
    let checked = target.check_roll_back(id, discard_changes, LIMITS.lock).await;
    let done = target.roll_back(id, discard_changes, LIMITS.lock).await;
    let said = |error: &Error| error.to_string();
    assert_eq!(checked.as_ref().err().map(said), done.as_ref().err().map(said));
    target.close().await;
    done
}

/// A target with these read options.
pub async fn target_with(url: &str, options: &SnapshotOptions) -> Target {
    Target::open(&DatabaseUrl::parse(url).unwrap(), TargetOptions::new(options.clone())).await.unwrap()
}

/// Removes whatever the target has of a restore.
pub async fn discard(target: &mut Target, id: &str) {
    let state = target.state_of(id).await.unwrap().unwrap_or(RestoreState::Staged);
    assert!(target.discard(id, state).await.unwrap());
}
