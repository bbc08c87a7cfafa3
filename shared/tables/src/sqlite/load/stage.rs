//! Fills a stage: our own tables for the archive's rows, and their indexes.

use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnection;
use strongroom_archive::SqliteValue;
use tokio::sync::mpsc;

use super::difference;
use super::empty::{self, Later};
use super::insert::Insert;
use super::markers::{Marked, run};
use super::pair::Pair;
use super::pause::Pause;
use super::refused::{constraint, staged};
use super::stage_file::STAGE;
use super::{
    SqliteStage, beforehand, compare, dangling, live, lock, references, stage_file, swap, violations,
};
use crate::error::{Error, Result};
use crate::load::{Chunk, Comparison, Mode, Rows, SwapLimits, Swapped, TableChanges};
use crate::names::quoted;

/// Where rows go.
pub(super) enum Place {
    /// Into our own file; `is_done` after it has its indexes.
    File { is_done: bool },
    /// Into the empty tables, in a transaction that began at `since`.
    Live { since: Instant, later: Option<Later> },
}

/// Cost of applying a comparison: the time of the comparison again, plus this for each row that changes.
const APPLIED_ROW: Duration = Duration::from_micros(30);

/// Creates the staged tables. They accept any value as it is.
pub(super) async fn tables(connection: &mut SqliteConnection, pairs: &[Pair]) -> sqlx::Result<()> {
    run(connection, "BEGIN".to_owned()).await?;
    for pair in pairs {
        let key = pair.key.as_ref().filter(|key| key.is_rowid).and_then(|key| key.columns.first());
        let columns = (0..pair.columns.len()).map(|at| {
            let is_rowid = key.is_some_and(|(place, _)| *place == at);
            format!("c{at}{}", if is_rowid { " INTEGER PRIMARY KEY" } else { "" })
        });
        let columns = columns.collect::<Vec<_>>().join(", ");
        run(connection, format!("CREATE TABLE {STAGE}.t{} ({columns})", pair.at)).await?;
    }
    Ok(())
}

impl SqliteStage {
    pub(super) async fn load_rows(&mut self, table: usize, mut chunks: mpsc::Receiver<Chunk>) -> Result<u64> {
        let source = self.options.read.source.clone();
        let pair = &self.pairs[table];
        let is_staged = matches!(self.place, Place::File { .. });
        let failed = |error| match is_staged {
            true => staged(&source, pair, &error),
            false => constraint(&source, &pair.name, &error),
        };
        let start = match self.place {
            Place::File { .. } => format!("INSERT INTO {} VALUES ", difference::staged(table)),
            Place::Live { .. } => {
                let columns = pair.names().map(quoted).collect::<Vec<_>>().join(", ");
                format!("INSERT OR ABORT INTO main.{} ({columns}) VALUES ", quoted(&pair.live))
            }
        };
        let mut insert = Insert::new(start, pair.columns.len());
        let (mut rows, mut is_whole) = (0, false);
        while let Some(chunk) = chunks.recv().await {
            rows += chunk.count;
            if !pair.is_derived {
                insert.add(&mut self.connection, values(chunk.rows)).await.map_err(failed)?;
            }
            if chunk.is_last {
                is_whole = true;
                break;
            }
        }
        if !is_whole {
            return Err(Error::Cancelled);
        }
        insert.finish(&mut self.connection).await.map_err(failed)?;
        self.loaded[table] = rows;
        Ok(rows)
    }

    /// Creates the indexes needed for the comparison, once.
    async fn finish(&mut self) -> Result<()> {
        let Place::File { is_done } = &mut self.place else { return Ok(()) };
        if std::mem::replace(is_done, true) {
            return Ok(());
        }
        let source = &self.options.read.source;
        for pair in &self.pairs {
            let Some(key) = pair.key.as_ref().filter(|key| !key.is_rowid) else { continue };
            let columns =
                key.columns.iter().map(|(at, collation)| format!("c{at} COLLATE {}", quoted(collation)));
            let columns = columns.collect::<Vec<_>>().join(", ");
            let sql = format!("CREATE UNIQUE INDEX {STAGE}.key{at} ON t{at} ({columns})", at = pair.at);
            let made = run(&mut self.connection, sql).await;
            made.map_err(|error| staged(source, pair, &error))?;
        }
        let failed = |error| Error::database(source, "indexing the staged rows", &error);
        let tables: Vec<Marked> = self.pairs.iter().map(Marked::of).collect();
        let found = references::all(&self.live, &tables);
        beforehand::index(&mut self.connection, &found, &tables).await.map_err(failed)?;
        run(&mut self.connection, "COMMIT".to_owned()).await.map_err(failed).map(drop)
    }

    pub(super) async fn compare_rows(&mut self) -> Result<Comparison> {
        if let Place::Live { .. } = self.place {
            return self.compare_live().await;
        }
        self.finish().await?;
        let started = Instant::now();
        let source = self.options.read.source.clone();
        let failed = |error| Error::database(&source, "comparing rows", &error);
        run(&mut self.connection, "BEGIN".to_owned()).await.map_err(failed)?;
        let compared = self.compare_in_transaction().await;
        lock::roll_back(&mut self.connection).await;
        let mut comparison = compared.map_err(failed)?;
        let rows: u64 =
            comparison.tables.iter().map(|table| table.created + table.changed + table.deleted).sum();
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        comparison.writers_wait = started.elapsed() + APPLIED_ROW.saturating_mul(rows);
        Ok(comparison)
    }

    fn all_created(&self) -> Comparison {
        let created = |rows: &u64| TableChanges { created: *rows, ..TableChanges::default() };
        let tables = self.loaded.iter().map(created).collect();
        let started = match self.place {
            Place::Live { since, .. } => since,
            Place::File { .. } => self.started,
        };
        Comparison { tables, writers_wait: started.elapsed(), ..Comparison::default() }
    }

    /// The loaded rows are all there is to compare.
    async fn compare_live(&mut self) -> Result<Comparison> {
        let source = self.options.read.source.clone();
        let mut comparison = self.all_created();
        let live = live::read(&mut self.connection, &self.options.read).await;
        let found = match live {
            Ok(live) => {
                let tables: Vec<Marked> = self.pairs.iter().map(Marked::of).collect();
                dangling::of_loaded(&mut self.connection, &live, &self.digits, &tables).await
            }
            Err(error) => Err(error),
        };
        comparison.refusals = found.map_err(|error| Error::database(&source, "comparing rows", &error))?;
        Ok(comparison)
    }

    async fn compare_in_transaction(&mut self) -> sqlx::Result<Comparison> {
        let live = live::read(&mut self.connection, &self.options.read).await?;
        let tables: Vec<Marked> = self.pairs.iter().map(Marked::of).collect();
        let mode = self.wanted.mode;
        let mut comparison = if mode == Mode::IntoEmpty { self.all_created() } else { Comparison::default() };
        let connection = &mut self.connection;
        for (at, table) in tables.iter().enumerate().filter(|_| mode != Mode::IntoEmpty) {
            let mut changes = TableChanges::default();
            if !self.pairs[at].is_derived {
                changes = compare::counts(connection, table, at, self.loaded[at], mode).await?;
                changes.examples = compare::examples(connection, table, at, &changes).await?;
            }
            comparison.tables.push(changes);
        }
        let found = references::all(&live, &tables);
        let accepts = self.wanted.accept_cascade;
        comparison.refusals = beforehand::refusals(connection, &found, &tables, mode, accepts).await?;
        if mode != Mode::Merge {
            let violated = violations::unique(connection, &live, &self.wanted, &self.pairs).await?;
            comparison.refusals.extend(violated);
        }
        Ok(comparison)
    }

    pub(super) async fn keep_rows(&mut self) -> Result<()> {
        self.finish().await?;
        match (&self.place, &self.file) {
            (Place::File { .. }, Some(file)) => stage_file::sync(file, &self.options.read.source),
            _ => Ok(()),
        }
    }

    pub(super) async fn rehearse_rows(&mut self, limits: &SwapLimits) -> Result<()> {
        self.finish().await?;
        match self.place {
            Place::File { .. } => swap::rehearse(self, limits).await,
            // The rows are already in the tables.
            Place::Live { .. } => Ok(()),
        }
    }

    pub(super) async fn swap_rows(&mut self, limits: &SwapLimits) -> Result<Swapped> {
        self.finish().await?;
        let Place::Live { since, later } = &mut self.place else {
            return swap::swap(self, limits).await;
        };
        let (since, Some(later)) = (*since, later.take()) else { return Err(Error::Cancelled) };
        let pause = Pause { since, limit: limits.pause };
        self.connection.end_after(pause.left());
        let finished = empty::finish(self, later).await;
        let source = self.options.read.source.clone();
        let swapped = pause.end(&mut self.connection, &source, finished, limits.lock).await?;
        Ok(Swapped { paused: since.elapsed(), ..swapped })
    }
}

fn values(rows: Rows) -> Vec<SqliteValue> {
    match rows {
        Rows::Values(values) => values,
        Rows::Text(_) => Vec::new(),
    }
}
