//! Locks the tables exclusively and checks that they are empty.

use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::super::locks::{self, Locked};
use super::super::pair::TablePair;
use super::super::session::{lock_timeout, run};
use super::super::statements::Session;
use crate::error::{Error, Result};
use crate::fault::sqlstate;
use crate::load::Refusal;
use crate::postgres::codes;
use crate::postgres::session::attempt;

/// Pause for other sessions between two attempts.
const REST: Duration = Duration::from_millis(500);

/// Locks all tables or none. Each attempt waits just long enough for an autovacuum to give way. Sessions that queue
/// behind the attempt meanwhile lose nothing: they would find no rows in these tables.
pub(super) async fn lock(
    connection: &mut PgConnection,
    source: &str,
    tables: &[TablePair],
    patience: Duration,
) -> Result<()> {
    const WHAT: &str = "locking the tables";
    let Some(statement) = statement(tables) else { return Ok(()) };
    let failed = |error: sqlx::Error| Error::database(source, WHAT, &error);
    let began = Instant::now();
    let wait = locks::patience(&mut Session::new(connection, source)).await;
    let wait = wait.map_err(|failure| failure.of(source))?.min(patience);
    loop {
        let sql = format!("{}{statement}", lock_timeout(wait));
        let locked = attempt(connection, async |connection| {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
        });
        match locked.await.map_err(failed)? {
            Ok(()) => return run(connection, source, WHAT, lock_timeout(patience)).await,
            Err(error)
                if !matches!(
                    sqlstate(&error),
                    Some(codes::LOCK_NOT_AVAILABLE | codes::DEADLOCK_DETECTED)
                ) =>
            {
                return Err(failed(error));
            }
            Err(_) if began.elapsed() + REST < patience => tokio::time::sleep(REST).await,
            Err(_) => return Err(in_use(connection, source, tables, began.elapsed()).await),
        }
    }
}

async fn in_use(connection: &mut PgConnection, source: &str, tables: &[TablePair], tried: Duration) -> Error {
    let tables: Vec<Locked> = tables.iter().map(Locked::of).collect();
    match locks::named(&mut Session::new(connection, source), &tables).await {
        Ok(holders) => Error::Locked { name: source.to_owned(), seconds: tried.as_secs(), holders },
        Err(failure) => failure.of(source),
    }
}

/// Locks in order of name, as every restore that locks several tables does. Tables that inherit from a table are not locked
/// with it.
fn statement(tables: &[TablePair]) -> Option<String> {
    let mut names: Vec<(&str, bool)> =
        tables.iter().map(|pair| (pair.qualified.as_str(), pair.live.partition_key.is_some())).collect();
    names.sort_unstable();
    let named = |(name, is_partitioned): &(&str, bool)| match is_partitioned {
        true => (*name).to_owned(),
        false => format!("ONLY {name}"),
    };
    let names: Vec<String> = names.iter().map(named).collect();
    (!names.is_empty()).then(|| format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", names.join(", ")))
}

pub(super) async fn check(connection: &mut PgConnection, source: &str, tables: &[TablePair]) -> Result<()> {
    let mut refusals = Vec::new();
    for pair in tables {
        let only = if pair.live.partition_key.is_some() { "" } else { "ONLY " };
        let sql = format!("SELECT EXISTS (SELECT FROM {only}{})", pair.qualified);
        let found = sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false).fetch_one(&mut *connection);
        let has_rows: bool =
            found.await.map_err(|error| Error::database(source, "looking for rows", &error))?;
        if has_rows {
            refusals.push(Refusal::NotEmpty { table: pair.archive.name.clone() });
        }
    }
    if refusals.is_empty() { Ok(()) } else { Err(Error::Refused { name: source.to_owned(), refusals }) }
}
