//! The files of this service that no directory may put into archives.

use strongroom_store::{DatabaseUrl, Engine};

use crate::config::{Config, DestinationUrl, keep_out_of_archives};
use crate::error::Result;

/// Refuses sources whose directory contains `database`, or a file or folder that this configuration names as the
/// service's own.
///
/// # Errors
/// [`crate::Error::Config`].
pub(crate) fn check_own_files(config: &Config, database: &DatabaseUrl) -> Result<()> {
    let backup = &config.backup;
    let database = match database.engine() {
        Engine::Sqlite(file) => Some(file.clone()),
        Engine::Postgres(_) => None,
    };
    let folder = |url: &str| match DestinationUrl::parse(url) {
        Ok(DestinationUrl::Folder(folder)) => Some(folder),
        _ => None,
    };
    let stored = config.destinations.iter().map(|one| ("[[destinations]] url", folder(&one.url)));
    let own = [
        ("[backup] token_file", backup.token_file.clone()),
        ("[backup] database_url", database),
        ("[backup] staging_dir", backup.staging_dir.clone()),
        ("[drill] scratch_dir", config.drill.scratch_dir.clone()),
    ];
    let own = own.into_iter().chain(stored).filter_map(|(option, path)| Some((option, path?)));
    keep_out_of_archives(&config.sources, own)
}
