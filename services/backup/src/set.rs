//! The backup set: the vault and every configured source, checked together.
//!
//! Table names are unique across the set, because an archive has one folder for all of them. That is checked
//! at start, for whatever can be reached then, and again in each export.

use std::collections::HashMap;

use strongroom_runtime::client::{Bearer, Target};
use strongroom_tables::Kind;

use crate::config::{SourceConfig, SourceKind};
use crate::credentials::{bearer_of_file, url_of};
use crate::error::{Error, Result};
use crate::source::{FilesSource, Listing, ServiceSource, Source, SqlSource, VAULT_NAME, VAULT_TABLES};

/// All sources, the vault first.
pub(crate) struct BackupSet {
    sources: Vec<Source>,
}

impl BackupSet {
    /// The vault at `vault` and the configured sources; nothing is opened but files that hold URLs and tokens.
    ///
    /// # Errors
    /// [`Error::Config`] and [`Error::Runtime`] naming the source or file.
    pub(crate) fn create(vault: Target, bearer: Bearer, configs: &[SourceConfig]) -> Result<Self> {
        let mut sources = vec![Source::Service(ServiceSource::vault(vault, bearer))];
        for config in configs {
            sources.push(create_source(config)?);
        }
        Ok(Self { sources })
    }

    /// All sources in archive order.
    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// What is wrong with the sources as they are. One that cannot be reached is logged and left to the
    /// exports: it may start later than this service.
    ///
    /// # Errors
    /// [`Error::TableTaken`], and [`Error::Config`] for tables that are named but do not exist.
    pub(crate) async fn check_at_start(&self) -> Result<()> {
        let mut listings = Vec::new();
        for source in &self.sources {
            match source.check().await {
                Ok(listing) => listings.push(listing),
                Err(error) if may_pass(&error) => {
                    tracing::warn!(source = source.name(), %error, "a source cannot be read yet");
                }
                Err(error) => return Err(error),
            }
        }
        let vault = VAULT_TABLES.iter().map(|table| (VAULT_NAME, *table));
        let listed = listings.iter().filter(|listing| listing.source != VAULT_NAME).flat_map(tables_of);
        let more = listings.iter().filter(|listing| listing.source == VAULT_NAME).flat_map(tables_of);
        let more = more.filter(|(_, table)| !VAULT_TABLES.contains(table));
        check_unique(vault.chain(more).chain(listed))
    }

    /// Every source with its tables.
    pub(crate) async fn list(&self) -> Result<Vec<Listing>> {
        let mut listings = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            listings.push(source.list().await?);
        }
        Ok(listings)
    }

    /// The optional groups of all sources: configured ones first, the vault's last, as manifests list them.
    pub(crate) async fn groups(&self) -> Result<Vec<String>> {
        let mut groups: Vec<String> = Vec::new();
        for source in self.sources.iter().skip(1).chain(self.sources.first()) {
            for group in source.groups().await? {
                if !groups.contains(&group) {
                    groups.push(group);
                }
            }
        }
        Ok(groups)
    }
}

/// Refuses two tables of one name; pairs are a source's name and a table's.
///
/// # Errors
/// [`Error::TableTaken`] naming both sources.
pub(crate) fn check_unique<'a>(tables: impl Iterator<Item = (&'a str, &'a str)>) -> Result<()> {
    let mut owners = HashMap::new();
    for (source, table) in tables {
        if let Some(first) = owners.insert(table, source) {
            let (table, first, second) = (table.to_owned(), first.to_owned(), source.to_owned());
            return Err(Error::TableTaken { table, first, second });
        }
    }
    Ok(())
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
            let target =
                Target { url: url.expose().to_owned(), ca_file: config.ca_file.clone(), ..Target::default() };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_is_refused_with_both_sources() {
        let tables = [("vault", "credentials"), ("a", "users"), ("b", "Users"), ("b", "credentials")];
        let error = check_unique(tables.into_iter()).expect_err("credentials is there twice").to_string();
        for part in ["\"credentials\"", "source vault", "source b"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(check_unique(tables.into_iter().take(3)).is_ok());
    }
}
