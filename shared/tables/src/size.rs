//! The size of a database, without reading a row: the basis for estimating the size of an archive.

use strongroom_store::{DatabaseUrl, Engine};

use crate::error::Result;
use crate::{postgres, sqlite};

/// Size in bytes of the tables in the database behind `url`. For a SQLite file, indexes count too. `source` is the
/// database's name in messages.
///
/// # Errors
/// [`Error::Unreachable`](crate::Error::Unreachable), [`Error::NoAnswer`](crate::Error::NoAnswer) or
/// [`Error::NotThere`](crate::Error::NotThere) if there is no database.
pub async fn database_bytes(url: &DatabaseUrl, source: &str) -> Result<u64> {
    let bytes = match url.engine() {
        Engine::Sqlite(path) => sqlite::bytes(url, path, source).await?,
        Engine::Postgres(options) => postgres::bytes(url, options, source).await?,
    };
    Ok(u64::try_from(bytes).unwrap_or(0))
}
