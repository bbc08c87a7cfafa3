//! A database that is created, filled once and dropped again, to prove that rows can be restored.
//!
//! It must never be a live database. A pooler can map every database name to the same database, and a directory can be
//! mounted twice, so a new name proves nothing: the created database must be empty, and a table with a random name in it must
//! not be visible through the URL of any live database ([`Scratch::mark`], [`is_marked`]).

mod keys;

use strongroom_store::{DatabaseUrl, Engine};

use crate::error::{Error, Result};
use crate::names::quoted;
use crate::{postgres, sqlite};
pub use keys::{DanglingKey, KeyReport};

/// Name used in messages instead of a source's.
pub(crate) const SCRATCH: &str = "scratch database";

/// A separate database for one drill. It exists until [`Scratch::remove`], whatever happens to the process.
pub struct Scratch {
    url: DatabaseUrl,
    /// Where it was created: a server, or a directory.
    at: DatabaseUrl,
    name: String,
}

impl Scratch {
    /// Creates an empty database called `name`: on the server that `at` reaches, whose role must have the right to create
    /// databases, or as a file in the directory that `at` names. `encoding` is that of the original database. If created from
    /// a `template`, it has the template's contents and encoding.
    ///
    /// # Errors
    /// [`Error::NotScratch`] if the created database turns out to be one that others use, or a server error.
    pub async fn create(
        at: &DatabaseUrl,
        name: &str,
        (encoding, template): (Option<&str>, Option<&str>),
    ) -> Result<Self> {
        let url = match at.engine() {
            Engine::Sqlite(folder) => sqlite::scratch::create(folder, name)?,
            Engine::Postgres(connect) => {
                postgres::scratch::create(at, connect, (name, encoding, template)).await?
            }
        };
        let scratch = Self { url, at: at.clone(), name: name.to_owned() };
        match scratch.check_empty(template.is_some()).await {
            Ok(()) => Ok(scratch),
            Err(error) => {
                scratch.remove().await?;
                Err(error)
            }
        }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Contents from a template are not a sign that others use the database.
    async fn check_empty(&self, has_template: bool) -> Result<()> {
        match self.url.engine() {
            // The file is new. It gets a WAL like most live databases, which avoids the warning about missing WAL mode.
            Engine::Sqlite(_) => self.run("PRAGMA journal_mode = WAL").await,
            Engine::Postgres(connect) => {
                postgres::scratch::check(&self.url, connect, (&self.name, has_template)).await
            }
        }
    }

    /// Creates a table that would be visible in a live database if this were that database; [`Self::unmark`] drops it.
    ///
    /// # Errors
    /// A database error.
    pub async fn mark(&self, marker: &str) -> Result<()> {
        self.run(&format!("CREATE TABLE {} (marker integer)", quoted(marker))).await
    }

    /// # Errors
    /// A database error.
    pub async fn unmark(&self, marker: &str) -> Result<()> {
        self.run(&format!("DROP TABLE {}", quoted(marker))).await
    }

    /// Creates the extensions that the server has (PostgreSQL). The restore reports those that it lacks.
    ///
    /// # Errors
    /// A connection error.
    pub async fn add_extensions(&self, names: impl IntoIterator<Item = &str>) -> Result<()> {
        match self.url.engine() {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(connect) => {
                postgres::scratch::add_extensions(&self.url, connect, names.into_iter().collect()).await
            }
        }
    }

    /// Drops the database and disconnects everyone from it.
    ///
    /// # Errors
    /// A server error, or an error of the directory.
    pub async fn remove(self) -> Result<()> {
        remove(&self.at, &self.name).await
    }

    async fn run(&self, sql: &str) -> Result<()> {
        match self.url.engine() {
            Engine::Sqlite(path) => sqlite::scratch::run(&self.url, path, sql).await,
            Engine::Postgres(connect) => postgres::scratch::run(&self.url, connect, sql).await,
        }
    }
}

/// Whether a database has the table that [`Scratch::mark`] created. Nothing is written.
///
/// # Errors
/// As for [`crate::open_snapshot`].
pub async fn is_marked(url: &DatabaseUrl, source: &str, marker: &str) -> Result<bool> {
    match url.engine() {
        Engine::Sqlite(path) => sqlite::scratch::has(url, path, source, marker).await,
        Engine::Postgres(connect) => postgres::scratch::has(url, connect, source, marker).await,
    }
}

/// Removes the database `name` that [`Scratch::create`] created at `at`, if it exists, for example after a crash.
///
/// # Errors
/// A server error, or an error of the directory.
pub async fn remove(at: &DatabaseUrl, name: &str) -> Result<()> {
    match at.engine() {
        Engine::Sqlite(folder) => sqlite::scratch::remove(folder, name),
        Engine::Postgres(connect) => postgres::scratch::remove(at, connect, name).await,
    }
}

/// Refuses a name that might not be ours, because the database is dropped by that name.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let is_ours = name.strip_prefix(PREFIX).is_some_and(|id| {
        !id.is_empty() && id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    if is_ours {
        return Ok(());
    }
    let problem = format!("{name:?} is not the name of a scratch database, and is left alone");
    Err(Error::NotScratch { url: String::new(), problem })
}

/// Prefix of the names of scratch databases, followed by an id in hexadecimal digits.
pub const PREFIX: &str = "strongroom_drill_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_are_ever_dropped() {
        assert!(check_name("strongroom_drill_0192ab").is_ok());
        for name in [
            "production",
            "strongroom_drill_",
            "strongroom_drill_x",
            "strongroom_drill_0/../a",
            "",
            "strongroom",
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
