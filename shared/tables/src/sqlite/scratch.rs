//! Scratch databases in a directory: each has its own subdirectory, because SQLite creates further files beside it.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sqlx::AssertSqlSafe;
use strongroom_store::DatabaseUrl;

use super::connection::Connection;
use super::opening;
use crate::error::{Error, Result};
use crate::scratch::{SCRATCH, check_name};

pub(crate) fn create(folder: &Path, name: &str) -> Result<DatabaseUrl> {
    check_name(name)?;
    let own = own_folder(folder, name);
    // A leftover with that name would not be ours: both calls fail if something exists.
    DirBuilder::new()
        .mode(0o700)
        .create(&own)
        .map_err(|error| failed(folder, "creating a folder in it", error))?;
    let path = own.join("scratch.db");
    let file = File::options().write(true).create_new(true).mode(0o600).open(&path);
    file.map_err(|error| failed(folder, "creating a file in it", error))?;
    Ok(DatabaseUrl::sqlite_file(path)?)
}

pub(crate) async fn run(url: &DatabaseUrl, path: &Path, sql: &str) -> Result<()> {
    let mut connection = Connection::open_writer(url, path, SCRATCH).await?;
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *connection).await;
    done.map_err(|error| Error::database(SCRATCH, "preparing", &error))?;
    connection.close().await.map_err(opening(SCRATCH))
}

/// The foreign key number of each dangling row of a table.
pub(crate) async fn lost(url: &DatabaseUrl, path: &Path, table: &str) -> Result<Vec<i64>> {
    let mut connection = Connection::open(url, path, SCRATCH, 1).await?;
    let sql = format!("SELECT fkid FROM pragma_foreign_key_check({})", literal(table));
    let found: sqlx::Result<Vec<i64>> =
        sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false).fetch_all(&mut *connection).await;
    let lost = found.map_err(|error| Error::database(SCRATCH, "looking", &error))?;
    connection.close().await.map_err(opening(SCRATCH))?;
    Ok(lost)
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub(crate) async fn has(url: &DatabaseUrl, path: &Path, source: &str, table: &str) -> Result<bool> {
    let mut connection = match Connection::open(url, path, source, 1).await {
        Ok(connection) => connection,
        // The scratch database has a file, with a table in it, so this is not it.
        Err(Error::NotThere { .. } | Error::EmptyFile { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    let found: sqlx::Result<i64> =
        sqlx::query_scalar("SELECT count(*) FROM main.sqlite_schema WHERE name = ?1")
            .bind(table)
            .persistent(false)
            .fetch_one(&mut *connection)
            .await;
    let count = found.map_err(|error| Error::database(source, "looking", &error))?;
    connection.close().await.map_err(opening(source))?;
    Ok(count > 0)
}

pub(crate) fn remove(folder: &Path, name: &str) -> Result<()> {
    check_name(name)?;
    match std::fs::remove_dir_all(own_folder(folder, name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed(folder, "removing a folder from it", error))
        }
        _ => Ok(()),
    }
}

fn own_folder(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

fn failed(folder: &Path, what: &'static str, source: std::io::Error) -> Error {
    Error::ScratchFolder { path: folder.to_owned(), what, source }
}
