//! A database that one test owns: newly created, removed when the value is dropped.
//!
//! SQLite is always available. PostgreSQL is at `TEST_DATABASE_URL`; without it a test is skipped with a
//! message, except in CI (`CI` set), where that is a failure. Every call blocks, even inside an async test:
//! the work is done on a separate thread, so that `Drop` can use it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Connection, Decode, PgConnection, Postgres, Sqlite, SqliteConnection, Type};
use strongroom_store::{DatabaseUrl, Engine};

/// The file in a SQLite database's folder.
const FILE: &str = "test.db";

/// A fresh database.
#[derive(Debug)]
pub struct TestDb {
    url: String,
    location: Location,
}

#[derive(Debug)]
enum Location {
    /// The folder is removed with the value.
    Folder(tempfile::TempDir),
    /// A database on `server`.
    Server { server: String, name: String },
}

impl TestDb {
    /// An empty SQLite file in its own folder.
    #[must_use]
    pub fn sqlite() -> Self {
        Self::sqlite_in(&std::env::temp_dir())
    }

    /// The same, with its folder inside `parent`.
    #[must_use]
    pub fn sqlite_in(parent: &Path) -> Self {
        let folder = tempfile::tempdir_in(parent).unwrap();
        let file = folder.path().join(FILE);
        std::fs::File::create_new(&file).unwrap();
        let url = format!("sqlite:{}", file.display());
        Self { url, location: Location::Folder(folder) }
    }

    /// An empty database (UTF-8, `template0`) on the server of `TEST_DATABASE_URL`; `None`, with a message on
    /// standard error, if there is no server.
    ///
    /// # Panics
    /// Without a server in CI, and if the server refuses.
    #[must_use]
    pub fn postgres() -> Option<Self> {
        let Some(server) = postgres_server() else {
            assert!(std::env::var_os("CI").is_none(), "CI needs PostgreSQL: set TEST_DATABASE_URL");
            report_skip("TEST_DATABASE_URL names no PostgreSQL server");
            return None;
        };
        let name = format!("strongroom_test_{}", uuid::Uuid::now_v7().simple());
        run(&server, &format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"));
        Some(Self { url: with_database(&server, &name), location: Location::Server { server, name } })
    }

    /// Both engines, or only SQLite without a server: for tests that run on each engine.
    #[must_use]
    pub fn each() -> Vec<Self> {
        std::iter::once(Self::sqlite()).chain(Self::postgres()).collect()
    }

    /// Its parsed URL.
    #[must_use]
    pub fn url(&self) -> DatabaseUrl {
        DatabaseUrl::parse(&self.url).unwrap()
    }

    /// Its URL as in a configuration file, including the password if the server requires one.
    #[must_use]
    pub fn url_text(&self) -> &str {
        &self.url
    }

    /// The SQLite file; `None` on PostgreSQL.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match &self.location {
            Location::Folder(folder) => Some(folder.path().join(FILE)),
            Location::Server { .. } => None,
        }
    }

    /// Executes any number of statements.
    pub fn run(&self, sql: &str) {
        run(&self.url, sql);
    }

    /// Executes any number of statements; false if one is refused.
    #[must_use]
    pub fn is_accepted(&self, sql: &str) -> bool {
        execute(&self.url, sql).is_ok()
    }

    /// Migrates the schema to the migrations in `folder`, as a service does at start. PostgreSQL only.
    pub fn migrate(&self, folder: &Path) {
        let (url, folder) = (self.url(), folder.to_owned());
        on_own_thread(move || async move {
            let Engine::Postgres(options) = url.engine() else {
                unreachable!("a server is shared by versions")
            };
            let migrations = sqlx::migrate::Migrator::new(folder).await.unwrap();
            strongroom_store::postgres::migrate(options, migrations).await.unwrap();
        });
    }

    /// `bytes` as an SQL literal of the engine.
    #[must_use]
    pub fn bytes(&self, bytes: &[u8]) -> String {
        let digits = hex::encode(bytes);
        if self.file().is_some() { format!("x'{digits}'") } else { format!("'\\x{digits}'") }
    }

    /// The single number that `sql` selects (`bigint` on PostgreSQL, like `count(*)`).
    #[must_use]
    pub fn number(&self, sql: &str) -> i64 {
        scalar(&self.url, sql)
    }

    /// The single text that `sql` selects.
    #[must_use]
    pub fn text(&self, sql: &str) -> String {
        scalar(&self.url, sql)
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if let Location::Server { server, name } = &self.location {
            run(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

fn postgres_server() -> Option<String> {
    std::env::var("TEST_DATABASE_URL").ok().filter(|url| !url.is_empty())
}

/// Bypasses the test harness, which hides the output of passed tests.
fn report_skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// Another database with the same server, user and parameters.
fn with_database(server: &str, name: &str) -> String {
    let (address, parameters) = match server.split_once('?') {
        Some((address, parameters)) => (address, format!("?{parameters}")),
        None => (server, String::new()),
    };
    let host_begins = address.find("://").map_or(0, |at| at + 3);
    let host_ends = address[host_begins..].find('/').map_or(address.len(), |at| host_begins + at);
    format!("{}/{name}{parameters}", &address[..host_ends])
}

fn scalar<T>(url: &str, sql: &str) -> T
where
    T: Send + Unpin + Type<Sqlite> + Type<Postgres> + 'static,
    T: for<'r> Decode<'r, Sqlite> + for<'r> Decode<'r, Postgres>,
{
    let (url, query) = (url.to_owned(), AssertSqlSafe(sql.to_owned()));
    on_own_thread(move || async move {
        match DatabaseUrl::parse(&url).unwrap().engine() {
            Engine::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
            }
            Engine::Postgres(options) => {
                let mut connection = PgConnection::connect_with(options).await.unwrap();
                sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
            }
        }
    })
}

fn run(url: &str, sql: &str) {
    execute(url, sql).unwrap();
}

fn execute(url: &str, sql: &str) -> Result<(), sqlx::Error> {
    let (url, sql) = (url.to_owned(), AssertSqlSafe(sql.to_owned()));
    on_own_thread(move || async move {
        match DatabaseUrl::parse(&url).unwrap().engine() {
            Engine::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
            }
            Engine::Postgres(options) => {
                let mut connection = PgConnection::connect_with(options).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
            }
        }
    })
}

/// A thread cannot enter a runtime twice, and a test may already be inside one.
fn on_own_thread<T, F>(work: impl FnOnce() -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let thread = std::thread::spawn(|| {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work())
    });
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_of_a_url_changes() {
        for (server, expected) in [
            ("postgres://a:b@h:5/postgres", "postgres://a:b@h:5/new"),
            ("postgres://h", "postgres://h/new"),
            ("postgres://h/old?sslmode=disable", "postgres://h/new?sslmode=disable"),
            ("postgres:///old?host=/run/pg", "postgres:///new?host=/run/pg"),
        ] {
            assert_eq!(with_database(server, "new"), expected);
        }
    }

    #[test]
    fn each_database_is_fresh_and_goes_away() {
        for db in TestDb::each() {
            db.run("CREATE TABLE t (id BIGINT); INSERT INTO t VALUES (1), (2)");
            assert_eq!(db.number("SELECT count(*) FROM t"), 2);
        }
        let file = TestDb::sqlite().file().unwrap();
        assert!(!file.exists());
        if let Some(db) = TestDb::postgres() {
            let Location::Server { server, name } = &db.location else { unreachable!() };
            let (server, name) = (server.clone(), name.clone());
            drop(db);
            run(&server, &format!("CREATE DATABASE {name}"));
            run(&server, &format!("DROP DATABASE {name}"));
        }
    }

    #[tokio::test]
    async fn it_works_inside_an_async_test() {
        let db = TestDb::sqlite();
        assert_eq!(db.number("SELECT 1"), 1);
    }
}
