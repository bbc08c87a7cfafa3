//! Migrates a schema while other processes use it: for a rolling upgrade, and for a downgrade.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::time::sleep;

use super::Connection;
use crate::error::Result;

/// While a migration waits for a lock on a table, all later statements on that table wait behind it, even
/// reads. Behind an export's snapshot that could be an hour. A migration that locks a second table can also
/// deadlock with a call that locks the tables in another order: after `deadlock_timeout`, a second by
/// default, the server ends one of the two, and it must not choose the call. So a migration gives up long before that, and
/// retries. A large table can take longer than a call's statement, so there is no statement timeout.
const SETTINGS: &str = "SET lock_timeout = '300ms'; SET statement_timeout = 0; SET synchronous_commit = on;";
/// Time for the statements that waited behind the lock.
const PAUSE: Duration = Duration::from_secs(2);
/// SQLSTATE of a lock that was not granted in time: lock_not_available.
const LOCKED: &str = "55P03";

/// Runs the missing ones of `migrations`, each in its own transaction, and waits as long as other sessions
/// hold the locks that it needs. Of several processes, one migrates and the others wait for it. Migrations of
/// a later version are kept, so the previous version can start on their schema: a migration only adds, and
/// removes nothing that the previous version needs.
///
/// # Errors
/// [`Error::Migrate`](crate::Error::Migrate), or [`Error::Foreign`](crate::Error::Foreign) for a database of an unreleased
/// version.
pub async fn migrate(options: &PgConnectOptions, migrations: Migrator) -> Result<()> {
    let migrations = Migrator { ignore_missing: true, ..migrations };
    let mut has_waited = false;
    loop {
        // A separate connection: its locks are released when it ends, however it ends.
        let own = PgPoolOptions::new()
            .max_connections(1)
            .after_connect(|connection, _| Box::pin(set_up(connection)));
        let own = own.connect_with(options.clone()).await?;
        let ended = migrations.run(&own).await;
        own.close().await;
        let Err(error) = ended else { return Ok(()) };
        if !is_locked(&error) {
            return Err(error.into());
        }
        if !has_waited {
            tracing::warn!(
                "the database's schema is not up to date yet: another session, such as an export or another \
                 process that migrates, holds a lock; trying again until it ends"
            );
            has_waited = true;
        }
        sleep(PAUSE).await;
    }
}

async fn set_up(connection: &mut Connection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SETTINGS).execute(connection).await?;
    Ok(())
}

fn is_locked(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some(LOCKED)
}
