//! Statements of a restore: each names the operation in its error, and none blocks writers longer than agreed.

use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnection, PgRow};

use crate::error::{Error, Result};
use crate::fault::sqlstate;
use crate::postgres::codes;

/// A session, with its source's name for errors.
pub(super) struct Session<'a> {
    pub(super) connection: &'a mut PgConnection,
    pub(super) source: &'a str,
    /// When to stop trying to acquire further locks.
    pub(super) until: Instant,
    pause: Option<Pause>,
}

/// Time limit for blocking writers.
struct Pause {
    limit: Duration,
    began: Instant,
}

/// A failure, not yet converted to an error.
pub(super) enum Failure {
    /// Already an error.
    Said(Error),
    /// A statement failed.
    Server {
        /// The operation that failed.
        what: String,
        error: sqlx::Error,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Said(error)
    }
}

impl Failure {
    pub(super) fn server(what: impl Into<String>, error: sqlx::Error) -> Self {
        Self::Server { what: what.into(), error }
    }

    /// Converts it to an error for callers of this crate.
    pub(super) fn of(self, source: &str) -> Error {
        match self {
            Self::Said(error) => error,
            Self::Server { what, error } => Error::database(source, what, &error),
        }
    }

    /// The server's error code; empty for other errors.
    pub(super) fn code(&self) -> &str {
        match self {
            Self::Said(_) => "",
            Self::Server { error, .. } => sqlstate(error).unwrap_or_default(),
        }
    }

    /// Whether the server cancelled this statement because of its time limit.
    pub(super) fn is_canceled(&self, statement: &str) -> bool {
        matches!(self, Self::Server { what, .. } if what == statement) && self.code() == codes::QUERY_CANCELED
    }
}

impl<'a> Session<'a> {
    pub(super) fn new(connection: &'a mut PgConnection, source: &'a str) -> Self {
        Self { connection, source, until: Instant::now(), pause: None }
    }

    /// From now on no statement runs past `began` plus `limit`.
    pub(super) fn limit_pause(&mut self, limit: Option<Duration>, began: Instant) {
        self.pause = limit.map(|limit| Pause { limit, began });
    }

    /// Runs statements one by one, each within the time that the previous ones left. (For several statements sent at once,
    /// the server would apply the limit to each one.)
    pub(super) async fn run_each(&mut self, what: &str, statements: Vec<String>) -> Result<(), Failure> {
        for sql in statements {
            self.run(what, sql).await?;
        }
        Ok(())
    }

    /// Runs a statement, or several that take no time, and returns the number of affected rows.
    pub(super) async fn run(&mut self, what: &str, sql: String) -> Result<u64, Failure> {
        self.hurry(what).await?;
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *self.connection).await;
        done.map(|done| done.rows_affected()).map_err(|error| self.failed(what, error))
    }

    pub(super) async fn rows<T>(&mut self, what: &str, sql: String) -> Result<Vec<T>, Failure>
    where
        T: Send + Unpin + for<'r> sqlx::FromRow<'r, PgRow>,
    {
        self.hurry(what).await?;
        let found = sqlx::query_as(AssertSqlSafe(sql)).persistent(false).fetch_all(&mut *self.connection);
        found.await.map_err(|error| self.failed(what, error))
    }

    /// The only row.
    pub(super) async fn row<T>(&mut self, what: &str, sql: String) -> Result<T, Failure>
    where
        T: Send + Unpin + for<'r> sqlx::FromRow<'r, PgRow>,
    {
        self.hurry(what).await?;
        let found = sqlx::query_as(AssertSqlSafe(sql)).persistent(false).fetch_one(&mut *self.connection);
        found.await.map_err(|error| self.failed(what, error))
    }

    /// The only value of the only row, a number.
    pub(super) async fn count(&mut self, what: &str, sql: String) -> Result<u64, Failure> {
        let (count,): (i64,) = self.row(what, sql).await?;
        Ok(count.unsigned_abs())
    }

    /// Ends a failed transaction. The original failure is the relevant one, so an error of ROLLBACK is only logged.
    pub(super) async fn roll_back(&mut self) {
        self.pause = None;
        if let Err(error) = sqlx::raw_sql("ROLLBACK").execute(&mut *self.connection).await {
            tracing::debug!(source = self.source, %error, "cannot roll back");
        }
    }

    /// Makes the server end the next statement when the agreed pause is over. 0 would mean no limit.
    pub(super) async fn hurry(&mut self, what: &str) -> Result<(), Failure> {
        let Some(pause) = &self.pause else { return Ok(()) };
        let left = pause.limit.saturating_sub(pause.began.elapsed()).as_millis();
        if left == 0 {
            return Err(self.too_long(pause.limit));
        }
        let sql = format!("SET LOCAL statement_timeout = {}", left.min(i32::MAX as u128));
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *self.connection).await;
        done.map(drop).map_err(|error| Failure::server(what, error))
    }

    fn failed(&self, what: &str, error: sqlx::Error) -> Failure {
        match &self.pause {
            Some(pause) if sqlstate(&error) == Some(codes::QUERY_CANCELED) => self.too_long(pause.limit),
            _ => Failure::server(what, error),
        }
    }

    fn too_long(&self, limit: Duration) -> Failure {
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        Error::PauseTooLong { name: self.source.to_owned(), limit_ms }.into()
    }
}

/// A text as an SQL literal.
pub(in crate::postgres) fn literal(text: &str) -> String {
    let text = text.replace('\'', "''");
    // Within E'' a backslash must be doubled, whatever standard_conforming_strings is.
    format!("E'{}'", text.replace('\\', "\\\\"))
}

/// Texts as an SQL array.
pub(super) fn literals<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(literal).collect();
    format!("ARRAY[{}]::text[]", texts.join(", "))
}
