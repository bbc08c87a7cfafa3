//! The safety backup before a restore: of all rows of the tables that the restore changes.

use std::sync::Arc;
use std::time::Duration;

use strongroom_runtime::Caller;
use strongroom_tables::listed_name;
use strongroom_tables::load::WantedTable;

use super::journal::Journal;
use super::record::StepName;
use super::selection::{Contents, Selected};
use crate::assembly::ArchiveRequest;
use crate::backups::{Catalogue, Creations, Order};
use crate::error::{RestoreError, Result};
use crate::seal::SealChoice;
use crate::sources::{Sources, Survey};
use crate::store::{BackupState, StoredBackup};
use strongroom_runtime::failpoint;

/// Interval between checks of the running backup.
const PERIOD: Duration = Duration::from_millis(200);

/// Makes safety backups.
#[derive(Clone)]
pub(super) struct SafetyBackups {
    pub(super) creations: Arc<Creations>,
    pub(super) catalogue: Catalogue,
    pub(super) sources: Arc<Sources>,
}

impl SafetyBackups {
    /// Makes one, and waits until it is stored. Its id is recorded before anything else happens.
    ///
    /// # Errors
    /// [`RestoreError::SafetyBackup`], and errors that keep a backup from beginning.
    pub(super) async fn take(
        &self,
        caller: &Caller,
        parts: &[Selected],
        accepts_cascade: bool,
        journal: &Journal,
    ) -> Result<()> {
        let request = self.request(parts, accepts_cascade).await?;
        let begun = self.creations.begin(caller, &request, SealChoice::Configured, Order::default()).await;
        let begun = begun.map_err(|error| RestoreError::SafetyBackup { problem: error.to_string() })?;
        let id = begun.row.id.clone();
        failpoint::reached("restore.safety_begun");
        journal
            .change(|row, _| {
                row.safety_backup.clone_from(&id);
                Ok(())
            })
            .await?;
        self.stored(begun).await?;
        journal.step("", StepName::SafetyBackup).await?;
        failpoint::reached("restore.safety_backup");
        Ok(())
    }

    /// The tables under their current archive names, with their groups, and the file sets; everything, if other tables
    /// may lose rows too (cascade).
    async fn request(&self, parts: &[Selected], accepts_cascade: bool) -> Result<ArchiveRequest> {
        let mut request = ArchiveRequest::default();
        if accepts_cascade {
            request.include = self.sources.groups().await?;
            return Ok(request);
        }
        let survey = self.sources.survey().await;
        for part in parts {
            let found = survey.sources.iter().position(|other| other.source == part.source());
            let at = found.ok_or_else(|| RestoreError::SourceGone(part.source().to_owned()))?;
            match &part.contents {
                Contents::Files(_) => {
                    request.sets.push(part.source().to_owned());
                    include(&mut request, &survey.sources[at].group);
                }
                Contents::Database { .. } | Contents::Service(_) => {
                    add_tables(&mut request, &survey, at, part)?;
                }
            }
        }
        Ok(request)
    }

    async fn stored(&self, mut backup: StoredBackup) -> Result<()> {
        loop {
            match backup.row.state {
                BackupState::Creating => tokio::time::sleep(PERIOD).await,
                BackupState::Available => return Ok(()),
                _ => return Err(RestoreError::SafetyBackup { problem: backup.row.problem }.into()),
            }
            backup = self.catalogue.get(&backup.row.id).await?;
        }
    }
}

fn include(request: &mut ArchiveRequest, group: &str) {
    if !group.is_empty() && !request.include.iter().any(|other| other == group) {
        request.include.push(group.to_owned());
    }
}

fn add_tables(request: &mut ArchiveRequest, survey: &Survey, at: usize, part: &Selected) -> Result<()> {
    let name = |table: &WantedTable| listed_name(&table.schema.namespace, &table.schema.table);
    let keeps = |name: &String| {
        survey.sources[at].tables.iter().flatten().any(|table| table.name == *name && table.read_only)
    };
    let wanted: Vec<String> = part.tables().map(name).filter(|name| !keeps(name)).collect();
    let mut found = 0;
    for table in survey.sources[at].tables.iter().flatten().filter(|table| wanted.contains(&table.name)) {
        let before = request.tables.len();
        request.tables.extend(survey.names.of(at, &table.name).map(str::to_owned));
        found += request.tables.len() - before;
        include(request, &table.group);
    }
    let missing = wanted.len().saturating_sub(found);
    if missing > 0 {
        let (all, source) = (wanted.len(), part.source());
        let problem = format!(
            "it would not hold every table that is restored: {missing} of {all} tables of source {source} are in no backup, \
             because they are excluded or cannot be read; restore without them (--tables)"
        );
        return Err(RestoreError::SafetyBackup { problem }.into());
    }
    Ok(())
}
