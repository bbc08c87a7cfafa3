#![allow(dead_code)]
use crate::error::{Error, Result};
use jiff::Timestamp;
use std::io::Read;
use std::sync::Arc;
use strongroom_archive::manifest::{EntryRecord, TruePath};
use strongroom_tables::load::{Mode, TableChanges};
pub(crate) struct WantedFiles {
    pub(crate) mode: Mode,
    pub(crate) files: Vec<WantedFile>,
    pub(crate) is_partial: bool,
}
pub(crate) struct WantedFile {
    pub(crate) path: TruePath,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) mode: Option<u32>,
    pub(crate) modified_at: Option<Timestamp>,
}
impl WantedFile {
    pub(crate) fn of(_: &EntryRecord) -> Option<(&str, Self)> {
        None
    }
}
#[derive(Clone)]
pub(crate) struct FilesInspection {
    pub(crate) changes: TableChanges,
    pub(crate) refusals: Vec<FilesRefusal>,
    pub(crate) warnings: Vec<String>,
    pub(crate) needed_bytes: u64,
    pub(crate) fingerprint: String,
    pub(crate) engine: String,
}
#[derive(Clone)]
pub(crate) struct FilesRefusal {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}
pub(crate) enum Marker {
    Staged,
    Swapping,
    Applied,
}
pub(crate) struct FilesTarget;
pub(crate) struct FilesStage;
pub(crate) struct FilesSwapped {
    pub(crate) changes: TableChanges,
}
impl FilesTarget {
    pub(crate) fn inspect(&self, _: &WantedFiles) -> Result<FilesInspection> {
        Err(Error::Fenced)
    }
    pub(crate) fn stage(self, _: &Arc<WantedFiles>, _: &str, _: &str) -> Result<FilesStage> {
        Err(Error::Fenced)
    }
    pub(crate) fn swap(&self, _: &str) -> Result<FilesSwapped> {
        Err(Error::Fenced)
    }
    pub(crate) fn state_of(&self, _: &str) -> Result<Option<Marker>> {
        Err(Error::Fenced)
    }
    pub(crate) fn check_roll_back(&self, _: &str, _: bool) -> Result<()> {
        Err(Error::Fenced)
    }
    pub(crate) fn roll_back(&self, _: &str, _: bool) -> Result<u64> {
        Err(Error::Fenced)
    }
    pub(crate) fn discard(&self, _: &str, _: Marker) -> Result<bool> {
        Err(Error::Fenced)
    }
}
impl FilesStage {
    pub(crate) fn needs(&self, _: usize) -> bool {
        true
    }
    pub(crate) fn add(&mut self, _: usize, _: &mut dyn Read) -> Result<()> {
        Ok(())
    }
    pub(crate) fn keep(self) -> Result<()> {
        Ok(())
    }
}
impl super::FilesSource {
    pub(crate) fn target(&self) -> Result<FilesTarget> {
        Ok(FilesTarget)
    }
}
