//! The beginning of a stage: the marker first, and then the tables for its rows.

use std::path::Path;
use std::time::Instant;

use super::markers::{Marked, Marker, run};
use super::pair::Pair;
use super::stage::Place;
use super::stage_file::STAGE;
use super::{SqliteStage, dangling, empty, inspect, live, lock, markers, stage, stage_file, target};
use crate::error::{Error, Result};
use crate::load::{Mode, Refusal, RestoreState};

impl SqliteStage {
    /// Marks the restore, and creates the tables for its rows.
    pub(super) async fn begin(&mut self, path: &Path, creates: &[String]) -> Result<()> {
        let source = self.options.read.source.clone();
        if !self.restore.is_empty() {
            self.mark().await?;
            if self.wanted.mode == Mode::IntoEmpty {
                return self.begin_live(path, creates).await;
            }
        }
        let file = stage_file::path(path, &self.digits);
        let is_trial = self.restore.is_empty();
        stage_file::create(&mut self.connection, &file, is_trial, &source).await?;
        self.file = (!is_trial).then_some(file);
        let made = stage::tables(&mut self.connection, &self.pairs).await;
        made.map_err(|error| Error::database(&source, "making tables for staged rows", &error))
    }

    /// Writes the marker, unless another restore is staged, or this one is applied already.
    async fn mark(&mut self) -> Result<()> {
        let source = self.options.read.source.clone();
        let failed = |error| Error::database(&source, "beginning to stage", &error);
        lock::begin(&mut self.connection, &source, self.options.lock).await?;
        let markers = markers::read(&mut self.connection).await.map_err(failed)?;
        let is_other = |marker: &Marker| !marker.is_applied || marker.id == self.restore;
        if let Some(other) = markers.into_iter().find(is_other) {
            let refusals = vec![Refusal::OtherRestore { id: other.id }];
            return Err(Error::Refused { name: source, refusals });
        }
        let mode = self.wanted.mode;
        let marked = markers::stage(&mut self.connection, &self.restore, mode).await.map_err(failed)?;
        lock::commit(&mut self.connection, &source, self.options.lock).await?;
        self.marked = Some(marked);
        Ok(())
    }

    /// Removes the remains of a stage that failed to begin.
    pub(super) async fn give_up(&mut self, path: &Path) {
        lock::roll_back(&mut self.connection).await;
        if self.marked.is_none() {
            return;
        }
        run(&mut self.connection, format!("DETACH DATABASE {STAGE}")).await.ok();
        let connection = &mut self.connection;
        let names = (self.restore.as_str(), self.digits.as_str());
        let discarded = target::discard(connection, &self.options, path, names, RestoreState::Staged).await;
        if let Err(error) = discarded {
            tracing::warn!(source = self.options.read.source, %error, "the mark of a restore that did not begin cannot be removed");
        }
    }

    /// Begins the transaction that fills the empty tables, and inspects the target again: nobody else can change it any more.
    async fn begin_live(&mut self, path: &Path, creates: &[String]) -> Result<()> {
        let source = self.options.read.source.clone();
        let failed = |error| Error::database(&source, "beginning to load", &error);
        lock::begin(&mut self.connection, &source, self.options.lock).await?;
        let since = Instant::now();
        let read = &self.options.read;
        let looked = inspect::look(&mut self.connection, path, read, &self.wanted).await?;
        if looked.inspection.fingerprint != self.fingerprint {
            return Err(Error::Stale { name: source });
        }
        let filled = looked.inspection.refusals.into_iter();
        let filled: Vec<Refusal> =
            filled.filter(|refusal| matches!(refusal, Refusal::NotEmpty { .. })).collect();
        if !filled.is_empty() {
            return Err(Error::Refused { name: source, refusals: filled });
        }
        let later = empty::prepare(&mut self.connection, &self.wanted, creates).await.map_err(failed)?;
        let live = live::read(&mut self.connection, read).await.map_err(failed)?;
        let tables = self.wanted.tables.iter().enumerate();
        let pairs = tables.filter_map(|(at, table)| {
            let found = live.table(&table.schema.table)?;
            Some(Pair::new(at, &table.schema, found).0)
        });
        self.pairs = pairs.collect();
        if self.pairs.len() != self.wanted.tables.len() {
            return Err(Error::Stale { name: source });
        }
        let tables: Vec<Marked> = self.pairs.iter().map(Marked::of).collect();
        let near = dangling::near(&live, &tables, Mode::IntoEmpty, false);
        dangling::note(&mut self.connection, &live, &self.digits, &near).await.map_err(failed)?;
        empty::clear(&mut self.connection, &self.pairs).await.map_err(failed)?;
        self.place = Place::Live { since, later: Some(later) };
        Ok(())
    }
}
