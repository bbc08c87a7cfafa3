//! A database that is created, filled once and dropped again, to prove that rows come back.
//!
//! It must never be a live one. A pooler may answer every database's name with the same database, and a folder may be mounted
//! twice, so that a new name proves nothing: what was created must be empty, and a table with a random name in it must not be
//! seen through the URL of any live database ([`Scratch::mark`], [`is_marked`]).

mod keys;

use strongroom_store::{DatabaseUrl, Engine};

use crate::error::{Error, Result};
use crate::names::quoted;
use crate::{postgres, sqlite};
pub use keys::{DanglingKey, KeyReport};

/// What messages call it in place of a source.
pub(crate) const SCRATCH: &str = "scratch database";

/// A database of its own for one drill. It stays until [`Scratch::remove`], whatever happens to the process.
pub struct Scratch {
    url: DatabaseUrl,
    /// Where it is: a server, or the file of a folder.
    at: DatabaseUrl,
    name: String,
}

impl Scratch {
    /// Creates an empty database called `name`: on the server that `at` reaches, whose role may create databases, or as a file in the
    /// folder that `at` names. `encoding` is that of the database that it stands for. Made from a `template`, it has what that has,
    /// and its encoding.
    ///
    /// # Errors
    /// [`Error::NotScratch`] where what was created is a database that others use, and the server's.
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

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// What it has from a template is no sign of somebody else.
    async fn check_empty(&self, has_template: bool) -> Result<()> {
        match self.url.engine() {
            // The file is new. Like most live ones it gets a WAL, so that nobody is warned of the contrary.
            Engine::Sqlite(_) => self.run("PRAGMA journal_mode = WAL").await,
            Engine::Postgres(connect) => {
                postgres::scratch::check(&self.url, connect, (&self.name, has_template)).await
            }
        }
    }

    /// Creates a table that others would see if this were their database; [`Self::unmark`] drops it.
    ///
    /// # Errors
    /// The database's.
    pub async fn mark(&self, marker: &str) -> Result<()> {
        self.run(&format!("CREATE TABLE {} (marker integer)", quoted(marker))).await
    }

    /// # Errors
    /// The database's.
    pub async fn unmark(&self, marker: &str) -> Result<()> {
        self.run(&format!("DROP TABLE {}", quoted(marker))).await
    }

    /// Creates the extensions that the server has (PostgreSQL). Of those that it lacks, the restore says so.
    ///
    /// # Errors
    /// The connection's.
    pub async fn add_extensions(&self, names: impl IntoIterator<Item = &str>) -> Result<()> {
        match self.url.engine() {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(connect) => {
                postgres::scratch::add_extensions(&self.url, connect, names.into_iter().collect()).await
            }
        }
    }

    /// Drops it, with everybody who is connected to it.
    ///
    /// # Errors
    /// The server's, and the folder's.
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

/// Whether a database has the table that [`Scratch::mark`] made. Nothing is written.
///
/// # Errors
/// As [`crate::open_snapshot`].
pub async fn is_marked(url: &DatabaseUrl, source: &str, marker: &str) -> Result<bool> {
    match url.engine() {
        Engine::Sqlite(path) => sqlite::scratch::has(url, path, source, marker).await,
        Engine::Postgres(connect) => postgres::scratch::has(url, connect, source, marker).await,
    }
}

/// Removes the database `name` that [`Scratch::create`] made at `at`, if it is there, as after a crash.
///
/// # Errors
/// The server's, and the folder's.
pub async fn remove(at: &DatabaseUrl, name: &str) -> Result<()> {
    match at.engine() {
        Engine::Sqlite(folder) => sqlite::scratch::remove(folder, name),
        Engine::Postgres(connect) => postgres::scratch::remove(at, connect, name).await,
    }
}

/// Refuses a name that could be anything but ours. It is dropped by that name.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let is_ours = name.strip_prefix(PREFIX).is_some_and(|id| {
        !id.is_empty() && id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    if is_ours {
        return Ok(());
    }
    let problem = format!("{name:?} is no name of a scratch database, and is not touched");
    Err(Error::NotScratch { url: String::new(), problem })
}

/// What the names of scratch databases begin with; an id in hexadecimal digits follows.
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
