//! Nobody else may have the tables, and nothing may be in them.

use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::super::pair::TablePair;
use super::super::session::{lock_timeout, run};
use crate::error::{Error, Result};
use crate::fault::sqlstate;
use crate::load::Refusal;
use crate::postgres::session::attempt;

/// How long others may have to queue behind an attempt, and the rest that they get between two.
const ATTEMPT: Duration = Duration::from_millis(500);
const REST: Duration = Duration::from_millis(500);

/// Locks all tables, or none.
pub(super) async fn lock(
    connection: &mut PgConnection,
    source: &str,
    tables: &[TablePair],
    patience: Duration,
) -> Result<()> {
    let Some(statement) = statement(tables) else { return Ok(()) };
    let began = Instant::now();
    loop {
        let sql = format!("{}{statement}", lock_timeout(ATTEMPT.min(patience)));
        let locked = attempt(connection, async |connection| {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
        });
        let failed = |error: sqlx::Error| Error::database(source, "locking the tables", &error);
        match locked.await.map_err(failed)? {
            Ok(()) => return run(connection, source, "locking the tables", lock_timeout(patience)).await,
            Err(error) if !matches!(sqlstate(&error), Some("55P03" | "40P01")) => return Err(failed(error)),
            Err(_) if began.elapsed() + REST < patience => tokio::time::sleep(REST).await,
            Err(_) => {
                let (name, holders) = (source.to_owned(), String::new());
                return Err(Error::Locked { name, seconds: patience.as_secs(), holders });
            }
        }
    }
}

/// In order of their names, as everybody does who locks several. Tables that inherit from one are others.
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
