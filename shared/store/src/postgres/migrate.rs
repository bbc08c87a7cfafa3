//! Bringing a schema up to date while other processes serve calls from it: a rolling upgrade, and the way back.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::time::sleep;

use super::Connection;
use crate::error::Result;

/// A migration that waits for a lock lets every later statement on that table wait behind it, also those that only read:
/// behind an export's snapshot that would be an hour. And one that locks a second table may meet a call that locks them in
/// another order: after `deadlock_timeout`, a second by default, the server ends one of the two, and that must not be the
/// call. So a migration gives up long before, and comes again. A large table may take longer than a call's statement, so
/// there is no limit of time.
const SETTINGS: &str = "SET lock_timeout = '300ms'; SET statement_timeout = 0; SET synchronous_commit = on;";
/// Time for what waits behind the lock.
const PAUSE: Duration = Duration::from_secs(2);
/// SQLSTATE of a lock that was not to be had in time: lock_not_available.
const LOCKED: &str = "55P03";

/// Runs what is missing of `migrations`, each in a transaction of its own, and waits as long as other sessions hold the
/// locks that it needs. Of several processes one migrates; the others wait for it. Migrations of a later version are
/// left alone, so that the version before starts on their schema: a migration adds, and takes nothing away that the
/// version before needs.
///
/// # Errors
/// [`Error::Migrate`](crate::Error::Migrate), or [`Error::Foreign`](crate::Error::Foreign) for a database of an unreleased
/// version.
pub async fn migrate(options: &PgConnectOptions, migrations: Migrator) -> Result<()> {
    let migrations = Migrator { ignore_missing: true, ..migrations };
    let mut has_waited = false;
    loop {
        // A connection of its own: its locks end with it, however it ends.
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
                "the database's schema is not up to date yet: another session holds a lock, such as an export's or another \
                 process that migrates; trying again until it ends"
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
