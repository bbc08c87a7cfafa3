//! What a backup reads: the vault and every configured database, directory and service.
//!
//! Each kind of source can list what it has and be read in one moment: [`sql`] by introspection, [`service`] through
//! `strongroom.source.v1` (the vault is one of those), [`files`] file by file.

mod files;
mod listing;
mod service;
mod source;
mod sql;
mod unique;

use std::time::Duration;

use strongroom_api::limits::VAULT_SOURCE;
use strongroom_runtime::Shutdown;
use strongroom_runtime::client::{Bearer, Target};
use strongroom_tables::Kind;

use crate::config::{SourceConfig, SourceKind};
use crate::error::{Error, Result};
use crate::secret_files::{bearer_of_file, url_of};
pub(crate) use files::{FileSet, ListedFile};
pub(crate) use listing::{Choice, ListedTable, Listing};
pub(crate) use source::OpenSource;
pub(crate) use sql::ColumnCount;
pub(crate) use unique::check_unique;

use files::FilesSource;
use service::ServiceSource;
use source::Source;
use sql::SqlSource;

/// Waits between two looks for a vault that was away at start.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// All sources, the vault first.
pub(crate) struct Sources {
    all: Vec<Source>,
}

impl Sources {
    /// The vault at `vault` and the configured sources; nothing is opened but files that hold URLs and tokens.
    ///
    /// # Errors
    /// [`Error::Config`] and [`Error::Runtime`] naming the source or file.
    pub(crate) fn create(vault: Target, bearer: Bearer, configs: &[SourceConfig]) -> Result<Self> {
        let mut all = vec![Source::Service(ServiceSource::vault(vault, bearer))];
        for config in configs {
            all.push(create_source(config)?);
        }
        Ok(Self { all })
    }

    /// In archive order.
    pub(crate) fn all(&self) -> &[Source] {
        &self.all
    }

    /// Checks the sources that can be read now; others may start later than this service. Returns whether the vault
    /// was read: without it nobody knows which names are taken.
    ///
    /// # Errors
    /// [`Error::TableTaken`], and [`Error::Config`] for tables that are named but do not exist.
    pub(crate) async fn check(&self) -> Result<bool> {
        let mut listings = Vec::new();
        for source in &self.all {
            match source.check().await {
                Ok(listing) => listings.push(listing),
                Err(error) if may_pass(&error) => {
                    tracing::warn!(source = source.name(), %error, "a source cannot be read yet");
                }
                Err(error) => return Err(error),
            }
        }
        check_unique(listings.iter().flat_map(tables_of))?;
        Ok(listings.iter().any(|listing| listing.source == VAULT_SOURCE))
    }

    /// Checks again as soon as the vault answers, for a service that started before it. A mistake is logged then; the
    /// exports that it concerns fail.
    pub(crate) async fn check_when_the_vault_answers(&self, shutdown: Shutdown) {
        let Some(vault) = self.all.first() else { return };
        let mut wait = FIRST_WAIT;
        while shutdown.unless_begun(tokio::time::sleep(wait)).await.is_some() {
            if vault.list().await.is_ok() {
                if let Err(error) = self.check().await {
                    tracing::error!(%error, "the sources do not fit together; exports will fail");
                }
                return;
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Every source with its tables.
    pub(crate) async fn list(&self) -> Result<Vec<Listing>> {
        let mut listings = Vec::with_capacity(self.all.len());
        for source in &self.all {
            listings.push(source.list().await?);
        }
        Ok(listings)
    }

    /// The optional groups of all sources: configured ones first, the vault's last, as manifests list them.
    pub(crate) async fn groups(&self) -> Result<Vec<String>> {
        let mut groups: Vec<String> = Vec::new();
        for source in self.all.iter().skip(1).chain(self.all.first()) {
            for group in source.groups().await? {
                if !groups.contains(&group) {
                    groups.push(group);
                }
            }
        }
        Ok(groups)
    }
}

fn tables_of(listing: &Listing) -> impl Iterator<Item = (&str, &str)> {
    listing.tables.iter().map(|table| (listing.source.as_str(), table.name.as_str()))
}

fn create_source(config: &SourceConfig) -> Result<Source> {
    match config.kind {
        SourceKind::Sqlite | SourceKind::Postgres => {
            let url = url_of(config)?;
            Ok(Source::Sql(Box::new(SqlSource::create(config.clone(), url.expose())?)))
        }
        SourceKind::Grpc => {
            let url = url_of(config)?;
            let target = Target {
                url: url.expose().to_owned(),
                ca_file: config.ca_file.clone(),
                plaintext: config.plaintext,
                ..Target::default()
            };
            // An unusable address is found now, not at the first export.
            target.channel()?;
            let Some(token_file) = &config.token_file else {
                return Err(Error::Config(format!(
                    "source {}: a grpc source needs a token_file",
                    config.name
                )));
            };
            let bearer = bearer_of_file(token_file)?;
            Ok(Source::Service(ServiceSource::configured(config.name.clone(), target, bearer)))
        }
        SourceKind::Files => Ok(Source::Files(FilesSource::create(config)?)),
    }
}

/// Whether waiting may help: everything but mistakes in the configuration.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::VaultAway { .. }
        | Error::VaultRefused { .. }
        | Error::VaultFailed { .. }
        | Error::SourceAway { .. }
        | Error::SourceFailed { .. }
        | Error::SourceProtocol { .. }
        | Error::FileUnreadable { .. }
        | Error::Tables(strongroom_tables::Error::NotThere { .. }) => true,
        Error::Tables(error) => matches!(error.kind(), Kind::Unavailable | Kind::Precondition),
        _ => false,
    }
}
