//! PostgreSQL the way a service needs it: one pool, short statements, durable commits.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::error::{Error, Result};

/// How long a call waits for a connection before it fails as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTIONS: u32 = 16;

/// Opens a pool whose statements end after 30 s and whose commits are durable.
///
/// # Errors
/// [`Error::Open`] when no connection can be made within five seconds.
pub async fn open_postgres(options: &PgConnectOptions) -> Result<PgPool> {
    let options = options.clone().options([
        ("statement_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "60s"),
        ("synchronous_commit", "on"),
        ("TimeZone", "UTC"),
    ]);
    let shown = format!("postgres://{}:{}", options.get_host(), options.get_port());
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await
        .map_err(|source| Error::Open { url: shown, source })
}
