//! PostgreSQL configured for a service: one pool, short statements, durable commits.

mod migrate;

use std::time::Duration;

use sqlx::pool::PoolConnectionMetadata;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, SqlSafeStr as _};
use tracing::Instrument as _;

use crate::error::{Error, Result};
use crate::turn::Turn;
use crate::url::shown_postgres;
pub use migrate::migrate;

/// The engine's type in sqlx.
pub type Database = sqlx::Postgres;
/// One connection; a transaction dereferences to it.
pub type Connection = sqlx::PgConnection;
/// A transaction, rolled back unless it is committed.
pub type Transaction = sqlx::Transaction<'static, Database>;
/// A pool of connections.
pub type Pool = sqlx::Pool<Database>;

/// How long a call waits for a connection before it fails as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTIONS: u32 = 16;
/// How long an idle connection is assumed to work without a test.
const BELIEVED: Duration = Duration::from_secs(1);

/// One pool for readers and writers.
#[derive(Clone, Debug)]
pub struct Pools {
    pool: Pool,
    turn: Turn,
}

impl Pools {
    /// Runs statements that only read.
    #[must_use]
    pub fn reader(&self) -> &Pool {
        &self.pool
    }

    /// Runs single statements that write, each in its own transaction.
    #[must_use]
    pub fn writer(&self) -> &Pool {
        &self.pool
    }

    /// Begins a change. Other changes run concurrently: it must lock the rows that its decisions depend on.
    ///
    /// # Errors
    /// [`Error::Database`] if no connection becomes free.
    pub async fn begin(&self) -> Result<Transaction> {
        self.turn.take(&self.pool, begun(&self.pool, BEGIN)).await
    }

    /// Begins a change ahead of the waiting ones: for changes that many callers wait for together.
    ///
    /// # Errors
    /// [`Error::Database`] if no connection becomes free.
    pub async fn begin_ahead(&self) -> Result<Transaction> {
        Ok(begun(&self.pool, BEGIN).await?)
    }

    /// Begins a transaction that reads one snapshot of the database. By default each statement would see
    /// another one.
    ///
    /// # Errors
    /// [`Error::Database`] if no connection becomes free.
    pub async fn begin_snapshot(&self) -> Result<Transaction> {
        Ok(begun(&self.pool, BEGIN_SNAPSHOT).await?)
    }
}

const BEGIN: &str = "BEGIN";
const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Runs in a separate task, which continues if the caller is cancelled. sqlx records a transaction only once
/// the server has confirmed it. If nothing waited for the confirmation, the connection would return to the
/// pool inside a transaction, and the next caller's single write statement would never be committed, or would
/// be refused.
async fn begun(pool: &Pool, statement: &'static str) -> sqlx::Result<Transaction> {
    // A caller that is cancelled while waiting for a connection stops waiting.
    let connection = pool.acquire().await?;
    let beginning = Transaction::begin(connection, Some(statement.into_sql_str()));
    tokio::spawn(beginning.in_current_span()).await.map_err(|_| sqlx::Error::WorkerCrashed)?
}

/// Settings of each new connection. They are not sent as start-up parameters, because poolers refuse unknown
/// ones. A pooler must give each client its own server connection (session pooling); otherwise the settings
/// are lost.
const SETTINGS: &str = "SET statement_timeout = '30s';
SET idle_in_transaction_session_timeout = '60s';
SET synchronous_commit = on;
SET TimeZone = 'UTC';
";

/// Opens a pool whose statements time out after 30 s and whose commits are durable.
///
/// # Errors
/// [`Error::Open`] if no connection can be made within five seconds.
pub async fn open(options: &PgConnectOptions) -> Result<Pools> {
    let options = options.clone().extra_float_digits(None);
    // A pool would try until its timeout and then report only the timeout: one plain connection reports the
    // cause.
    match tokio::time::timeout(ACQUIRE_TIMEOUT, Connection::connect_with(&options)).await {
        Ok(Ok(mut connection)) => {
            set_up(&mut connection).await?;
            connection.close().await?;
        }
        Ok(Err(source)) => return Err(Error::Open { url: shown_postgres(&options), source }),
        Err(_) => {
            return Err(Error::Open { url: shown_postgres(&options), source: sqlx::Error::PoolTimedOut });
        }
    }
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(set_up(connection)))
        .before_acquire(|connection, metadata| Box::pin(still_works(connection, metadata)));
    Ok(Pools { pool: pool.connect_lazy_with(options), turn: Turn::new() })
}

async fn set_up(connection: &mut Connection) -> std::result::Result<(), sqlx::Error> {
    sqlx::raw_sql(SETTINGS).execute(connection).await?;
    Ok(())
}

/// By default the pool tests a connection before each statement, which doubles the round trips. A recently
/// used connection is assumed to work; after an interruption a call may fail on it, just as it may fail
/// midway.
async fn still_works(
    connection: &mut Connection,
    metadata: PoolConnectionMetadata,
) -> Result<bool, sqlx::Error> {
    if metadata.idle_for > BELIEVED {
        connection.ping().await?;
    }
    Ok(true)
}
