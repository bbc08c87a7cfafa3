//! Restores the rows of an archive into an empty database that is not a source, as a drill needs: like a restore of a
//! source, but without a plan, a journal and a rollback.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use strongroom_archive::manifest::SourceRecord;
use strongroom_store::DatabaseUrl;
use strongroom_tables::SnapshotOptions;
use strongroom_tables::load::{Mode, Purpose, SwapLimits, Target, TargetOptions, Wanted, WantedTable};

use super::loading::load;
use super::record::{ArchiveFacts, Origin, Progress, Request, RequestMode};
use super::selection::{Contents, Selected, selected};
use crate::error::{Error, Result};
use crate::incoming::Archive;

/// Nobody else uses the database.
const LIMITS: SwapLimits = SwapLimits { lock: Duration::from_secs(60), pause: None };

/// One database of an archive.
pub(crate) struct Part(Selected);

/// The reason why rows were not restored.
pub(crate) enum NotRestored {
    /// They cannot be restored, with the reason.
    Refused(String),
    /// They cannot be restored now.
    Failed(Error),
}

impl From<Error> for NotRestored {
    fn from(error: Error) -> Self {
        match error {
            Error::Tables(error) if error.kind() == strongroom_tables::Kind::Unavailable => {
                Self::Failed(error.into())
            }
            Error::Tables(error) => Self::Refused(error.to_string()),
            Error::Archive(error) => Self::Refused(error.to_string()),
            error => Self::Failed(error),
        }
    }
}

impl From<strongroom_tables::Error> for NotRestored {
    fn from(error: strongroom_tables::Error) -> Self {
        Error::from(error).into()
    }
}

/// The databases among `records`.
///
/// # Errors
/// Errors of reading the archive.
pub(crate) async fn databases(archive: Archive, records: Vec<SourceRecord>) -> Result<Vec<Part>> {
    let request = Request {
        // The origin is not used: the archive is already open.
        origin: Origin::Backup(String::new()),
        mode: RequestMode::IntoEmpty,
        sources: records.iter().map(|record| record.name.clone()).collect(),
        tables: Vec::new(),
        rows: Default::default(),
        create_tables: true,
        accept_cascade: true,
        accept_pause: true,
        accept_undecryptable: true,
        from_deployment: String::new(),
        revive_ids: Vec::new(),
        as_copy: false,
        grantee: None,
        grant: String::new(),
        archive: ArchiveFacts::default(),
        confirm: String::new(),
        creator: String::new(),
        fingerprints: Default::default(),
        schedules: Vec::new(),
    };
    let parts = selected(archive, records, &request).await?;
    Ok(parts
        .into_iter()
        .filter(|part| matches!(part.contents, Contents::Database { .. }))
        .map(Part)
        .collect())
}

impl Part {
    /// The source's record in the archive.
    pub(crate) fn record(&self) -> &SourceRecord {
        &self.0.record
    }

    /// The tables, in archive order.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &WantedTable> {
        self.0.tables()
    }

    /// Entries of the tables, in order, as indexes into the manifest's list.
    pub(crate) fn entries(&self) -> &[usize] {
        &self.0.entries
    }

    /// Large objects with their entries.
    pub(crate) fn large_objects(&self) -> &[(u32, usize)] {
        match &self.0.contents {
            Contents::Database { large_objects, .. } => large_objects,
            _ => &[],
        }
    }

    fn wanted(&self) -> Option<&Wanted> {
        match &self.0.contents {
            Contents::Database { wanted, .. } => Some(wanted),
            _ => None,
        }
    }

    /// Creates its tables in the empty database at `url`, and fills them under the restore id `id`, which is never
    /// rolled back. Returns sentences about items that are not restored.
    ///
    /// # Errors
    /// [`NotRestored`].
    pub(crate) async fn fill(
        &self,
        archive: Archive,
        url: &DatabaseUrl,
        id: &str,
    ) -> Result<Vec<String>, NotRestored> {
        let Some(wanted) = self.wanted() else { return Ok(Vec::new()) };
        debug_assert_eq!(wanted.mode, Mode::IntoEmpty);
        let options = TargetOptions::new(SnapshotOptions::new(&self.record().name));
        let mut target = Target::open(url, options).await?;
        let inspection = target.inspect(wanted).await?;
        if !inspection.refusals.is_empty() {
            target.close().await;
            let all: Vec<String> = inspection.refusals.iter().map(ToString::to_string).collect();
            return Err(NotRestored::Refused(all.join("; ")));
        }
        let purpose = Purpose::Restore(id.to_owned());
        let mut stage = target.stage(wanted, &inspection.fingerprint, &purpose).await?;
        let progress = Arc::new(Mutex::new(Progress::default()));
        load(archive, &self.0, None, &mut stage, &progress).await?;
        stage.keep().await?;
        stage.swap(&LIMITS).await?;
        Ok(inspection.warnings)
    }
}
