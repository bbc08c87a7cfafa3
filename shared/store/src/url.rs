//! Database URLs: parsed once, printed without the password.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::error::{Error, Result};

/// A parsed `sqlite:` or `postgres:` URL. Neither `Debug` nor `Display` shows a password.
#[derive(Clone)]
pub struct DatabaseUrl {
    shown: String,
    engine: Engine,
}

/// The engine of a URL, with the connection details.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "a handful exist, each for the life of the process")]
pub enum Engine {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// A server.
    Postgres(PgConnectOptions),
}

impl DatabaseUrl {
    /// Accepts `sqlite:PATH`, `sqlite://PATH` (a path may be relative) and `postgres://…`.
    ///
    /// # Errors
    /// [`Error::Url`] with what was expected; the URL's password is not repeated.
    pub fn parse(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return Self::sqlite_file(path);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(url).map_err(|_| {
                Error::Url("not a PostgreSQL URL; expected postgres://USER:PASSWORD@HOST:PORT/DATABASE")
            })?;
            return Ok(Self { shown: shown_postgres(&options), engine: Engine::Postgres(options) });
        }
        Err(Error::Url("a database URL begins with sqlite: or postgres://"))
    }

    /// The URL of a SQLite file at `path`.
    ///
    /// # Errors
    /// [`Error::Url`] for an empty path, `:memory:` or a query string, which would be lost.
    pub fn sqlite_file(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let text = path.to_string_lossy();
        if text.is_empty() || text == ":memory:" {
            return Err(Error::Url("a SQLite URL names a file: sqlite:/var/lib/app/app.db"));
        }
        if text.contains('?') {
            return Err(Error::Url("a SQLite URL takes no parameters: sqlite:/var/lib/app/app.db"));
        }
        Ok(Self { shown: format!("sqlite:{text}"), engine: Engine::Sqlite(path) })
    }

    /// Another database on the same server, reached with the same options.
    ///
    /// # Errors
    /// [`Error::Url`] for a SQLite file, which has no server.
    pub fn with_database(&self, name: &str) -> Result<Self> {
        let Engine::Postgres(options) = &self.engine else {
            return Err(Error::Url("a SQLite file has no other databases beside it"));
        };
        let options = options.clone().database(name);
        Ok(Self { shown: shown_postgres(&options), engine: Engine::Postgres(options) })
    }

    /// The engine to connect to.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Connect options for a SQLite file that is only read and must exist.
    #[must_use]
    pub fn sqlite_reader(path: &std::path::Path) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .create_if_missing(false)
            .busy_timeout(std::time::Duration::from_secs(5))
    }
}

pub(crate) fn shown_postgres(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_default();
    format!("postgres://{}@{}:{}/{database}", options.get_username(), options.get_host(), options.get_port())
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.shown)
    }
}

impl FromStr for DatabaseUrl {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        Self::parse(url)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let url = DatabaseUrl::parse("postgres://vault:hunter2@db.internal:5433/vault").unwrap();
        assert_eq!(url.to_string(), "postgres://vault@db.internal:5433/vault");
        assert!(!format!("{url:?}").contains("hunter2"));
        let error = DatabaseUrl::parse("mysql://vault:hunter2@db/vault").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn sqlite_urls_name_a_file() {
        for (url, path) in
            [("sqlite:a.db", "a.db"), ("sqlite:///var/a.db", "/var/a.db"), ("sqlite:/a b.db", "/a b.db")]
        {
            let Engine::Sqlite(found) = DatabaseUrl::parse(url).unwrap().engine().clone() else {
                panic!("{url} is SQLite");
            };
            assert_eq!(found, PathBuf::from(path));
        }
        for refused in ["sqlite:", "sqlite::memory:", "sqlite:a.db?mode=rwc", "file.db"] {
            assert!(DatabaseUrl::parse(refused).is_err(), "{refused}");
        }
    }
}
