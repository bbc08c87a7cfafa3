//! The sources of a backup: the vault and every configured database, directory and service.
//!
//! Each kind of source can list its contents and be read as of one moment: [`sql`] by introspection, [`service`]
//! through `strongroom.source.v1` (the vault is such a service), [`files`] file by file.

mod files;
mod listing;
mod naming;
mod service;
mod source;
mod sql;
mod survey;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use strongroom_runtime::Shutdown;
use strongroom_runtime::client::{Bearer, Target};

use crate::backoff::Backoff;
use crate::config::{SourceConfig, SourceKind, SourceUrl};
use crate::error::{Error, Result};
use crate::said::Said;
use crate::secret_files::{bearer_of_file, restore_url_of, url_of};
pub use files::restoring::{FilesError, FilesRefusal};
pub(crate) use files::{
    FileSet, FilesInspection, FilesMarker, FilesSource, FilesTarget, ListedFile, OpenFile, WantedFile,
    WantedFiles,
};
pub(crate) use listing::{Choice, ListedTable};
pub(crate) use naming::{Inventory, Names, in_archive};
pub(crate) use service::ServiceSource;
pub(crate) use source::{OpenSource, Source};
pub(crate) use sql::{ColumnCount, SqlSource};
pub(crate) use survey::{Survey, Surveyed};

use listing::Listing;

/// Waits between checks of sources that were unavailable at start.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// All sources, the vault first.
pub(crate) struct Sources {
    all: Vec<Source>,
    /// Tables of each source when it was last read: names must not change because a source is unavailable.
    known: Mutex<Vec<Option<Vec<ListedTable>>>>,
}

impl Sources {
    /// The vault at `vault` and the configured sources. Opens only the files that hold URLs and tokens.
    ///
    /// # Errors
    /// [`Error::Config`] and [`Error::Runtime`] naming the source or file.
    pub(crate) fn create(vault: Target, bearer: Bearer, configs: &[SourceConfig]) -> Result<Self> {
        let mut all = vec![Source::Service(ServiceSource::vault(vault, bearer))];
        for config in configs {
            all.push(create_source(config)?);
        }
        let known = all.iter().map(|source| (!source.has_tables()).then(Vec::new)).collect();
        Ok(Self { all, known: Mutex::new(known) })
    }

    /// All sources, in archive order.
    pub(crate) fn all(&self) -> &[Source] {
        &self.all
    }

    /// Checks the sources that can be read now; others may start later than this service. Returns whether all were
    /// read. [`crate::source_watch`] logs failures.
    ///
    /// # Errors
    /// [`Error::TableTaken`], and the errors that [`is_mistake`] names.
    pub(crate) async fn check(&self) -> Result<bool> {
        let mut all_read = true;
        for (at, found) in join_all(self.all.iter().map(Source::check)).await.into_iter().enumerate() {
            match found {
                Ok(listing) => self.remember(at, &listing),
                Err(error) if is_mistake(&error) => return Err(error),
                Err(_) => all_read = false,
            }
        }
        self.names().check()?;
        Ok(all_read)
    }

    /// Keeps checking the sources that could not be read at start, until each was read once. A mistake found then is
    /// logged; the exports that it concerns fail.
    pub(crate) async fn check_until_all_were_read(&self, shutdown: Shutdown) {
        let mut backoff = Backoff::create(FIRST_WAIT, LONGEST_WAIT, shutdown);
        let mut said = Said::default();
        let mut waiting: Vec<usize> = (0..self.all.len()).filter(|at| self.known_of(*at).is_none()).collect();
        while !waiting.is_empty() && backoff.wait().await {
            let mut still = Vec::new();
            for at in waiting {
                let source = self.all[at].name();
                match self.all[at].check().await {
                    Ok(listing) => self.remember(at, &listing),
                    Err(error) if is_mistake(&error) => {
                        tracing::error!(source, %error, "the configuration does not fit a source");
                    }
                    Err(_) => still.push(at),
                }
            }
            if let Some(error) = said.news(self.names().check().err().map(|error| error.to_string())) {
                tracing::error!(error, "the sources do not fit together; exports will fail");
            }
            waiting = still;
        }
    }

    /// Every source with its tables, or with the error that prevents reading it.
    pub(crate) async fn survey(&self) -> Survey {
        let found = join_all(self.all.iter().map(Source::list)).await;
        let mut sources = Vec::with_capacity(found.len());
        for (at, found) in found.into_iter().enumerate() {
            if let Ok(listing) = &found {
                self.remember(at, listing);
            }
            let source = &self.all[at];
            let (name, kind, group) = (source.name().to_owned(), source.kind(), source.group().to_owned());
            let (tables, error) = match found {
                Ok(listing) => (Some(listing.tables), None),
                Err(error) => (self.known_of(at), Some(error)),
            };
            let of_tables = |tables| Listing { tables }.groups();
            let groups = source.groups().or_else(|| tables.clone().map(of_tables)).unwrap_or_default();
            let has_prefix = source.prefix().is_some();
            sources.push(Surveyed { source: name, kind, group, groups, has_prefix, tables, error });
        }
        let tables = sources.iter().map(|source: &Surveyed| source.tables.as_deref().unwrap_or_default());
        let names = Names::assign(&self.inventories(tables));
        Survey { sources, names }
    }

    /// The archive names of everything in all sources. `open` holds every source, in archive order, opened without a
    /// selection of tables.
    ///
    /// # Errors
    /// [`Error::TableTaken`].
    pub(crate) fn names_of(&self, open: &[OpenSource]) -> Result<Names> {
        let listings: Vec<Listing> = open.iter().map(OpenSource::listing).collect();
        for (at, listing) in listings.iter().enumerate() {
            self.remember(at, listing);
        }
        let names =
            Names::assign(&self.inventories(listings.iter().map(|listing| listing.tables.as_slice())));
        names.check()?;
        Ok(names)
    }

    /// The optional groups of all sources: configured ones first, the vault's last, as manifests list them.
    ///
    /// # Errors
    /// Errors of services that have to be asked.
    pub(crate) async fn groups(&self) -> Result<Vec<String>> {
        let mut groups = Vec::with_capacity(self.all.len());
        for source in &self.all {
            groups.push(match source.groups() {
                Some(groups) => groups,
                None => source.list().await?.groups(),
            });
        }
        Ok(survey::in_manifest_order(&groups))
    }

    /// Names by the last known tables.
    fn names(&self) -> Names {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Names::assign(&self.inventories(known.iter().map(|tables| tables.as_deref().unwrap_or_default())))
    }

    /// The optional tables of a database count even while they do not exist.
    fn inventories<'a>(&self, tables: impl Iterator<Item = &'a [ListedTable]>) -> Vec<Inventory> {
        let sources = self.all.iter().zip(tables);
        sources.map(|(source, tables)| source.inventory(tables)).collect()
    }

    fn remember(&self, at: usize, listing: &Listing) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known[at] = Some(listing.tables.clone());
    }

    fn known_of(&self, at: usize) -> Option<Vec<ListedTable>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known[at].clone()
    }
}

fn create_source(config: &SourceConfig) -> Result<Source> {
    match config.kind {
        SourceKind::Sqlite | SourceKind::Postgres => {
            let (url, restore_url) = (url_of(config)?, restore_url_of(config)?);
            let restore_url = restore_url.as_ref().map(SourceUrl::expose);
            Ok(Source::Sql(Box::new(SqlSource::create(config.clone(), url.expose(), restore_url)?)))
        }
        SourceKind::Grpc => {
            let url = url_of(config)?;
            let target = Target {
                url: url.expose().to_owned(),
                ca_file: config.ca_file.clone(),
                plaintext: config.plaintext,
                ..Target::default()
            };
            // Report an unusable address now instead of at the first export.
            target.channel()?;
            let Some(token_file) = &config.token_file else {
                return Err(Error::Config(format!(
                    "source {}: a grpc source needs a token_file",
                    config.name
                )));
            };
            let bearer = bearer_of_file(token_file)?;
            Ok(Source::Service(ServiceSource::configured(config, target, bearer)))
        }
        SourceKind::Files => Ok(Source::Files(FilesSource::create(config)?)),
    }
}

/// Whether the configuration has to be changed. All other errors concern the current state of a source.
fn is_mistake(error: &Error) -> bool {
    matches!(
        error,
        Error::Config(_)
            | Error::Runtime(_)
            | Error::TableTaken { .. }
            | Error::Tables(strongroom_tables::Error::Missing { .. })
    )
}
