//! How much room a database takes, without reading a row: what an archive of it may become is estimated from that.

use strongroom_store::{DatabaseUrl, Engine};

use crate::error::Result;
use crate::{postgres, sqlite};

/// Bytes of the tables of the database behind `url`, which messages call `source`. Indexes of a SQLite file count too.
///
/// # Errors
/// [`Error::Unreachable`](crate::Error::Unreachable), [`Error::NoAnswer`](crate::Error::NoAnswer) or
/// [`Error::NotThere`](crate::Error::NotThere) when there is no database.
pub async fn database_bytes(url: &DatabaseUrl, source: &str) -> Result<u64> {
    let bytes = match url.engine() {
        Engine::Sqlite(path) => sqlite::bytes(url, path, source).await?,
        Engine::Postgres(options) => postgres::bytes(url, options, source).await?,
    };
    Ok(u64::try_from(bytes).unwrap_or(0))
}
