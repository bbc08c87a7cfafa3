//! A separate database for each test.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};

/// Number of databases created. Tests in different modules may have the same purpose.
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A fresh database on the server of `TEST_DATABASE_URL`.
pub struct FreshDatabase {
    pub url: String,
    pub name: String,
    server: PgConnectOptions,
}

impl FreshDatabase {
    /// `None`, with a message, if no server is available for the tests.
    pub async fn create(purpose: &str) -> Option<Self> {
        Self::create_with(purpose, "UTF8").await
    }

    /// Like [`Self::create`], with another encoding.
    pub async fn create_with(purpose: &str, encoding: &str) -> Option<Self> {
        Self::create_on("TEST_DATABASE_URL", purpose, encoding).await
    }

    /// Like [`Self::create_with`], on the server that another variable names.
    pub async fn create_on(variable: &str, purpose: &str, encoding: &str) -> Option<Self> {
        let Ok(server_url) = std::env::var(variable) else {
            eprintln!("skipped: {variable} names no PostgreSQL server");
            return None;
        };
        Some(Self::create_at(&server_url, purpose, encoding).await)
    }

    /// Like [`Self::create_on`], on the server with this URL.
    pub async fn create_at(server_url: &str, purpose: &str, encoding: &str) -> Self {
        let server: PgConnectOptions = server_url.parse().unwrap();
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let name = format!("strongroom_{purpose}_{}_{number}", std::process::id());
        let mut connection = PgConnection::connect_with(&server).await.unwrap();
        for sql in [
            format!("DROP DATABASE IF EXISTS {name}"),
            format!("CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
        let (base, _) = server_url.rsplit_once('/').unwrap();
        Self { url: format!("{base}/{name}"), name, server }
    }

    /// A session that prints values as the reader's session does.
    pub async fn connect(&self) -> PgConnection {
        let options = self.server.clone().database(&self.name).options([
            ("TimeZone", "UTC"),
            ("lc_monetary", "C"),
            ("extra_float_digits", "3"),
            ("search_path", "pg_catalog,public"),
        ]);
        PgConnection::connect_with(&options).await.unwrap()
    }

    pub async fn run(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(format!("SET search_path = public; {sql}")))
            .execute(&mut connection)
            .await
            .unwrap();
    }

    pub async fn drop(self) {
        let mut connection = PgConnection::connect_with(&self.server).await.unwrap();
        let sql = format!("DROP DATABASE {} (FORCE)", self.name);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
}

/// A new SQLite file.
pub async fn create_sqlite(path: &std::path::Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(false);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Runs any number of statements.
pub async fn run_sqlite(connection: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}
