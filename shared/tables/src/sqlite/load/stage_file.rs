//! The file beside the database in which rows are staged.
//!
//! It is as secret as the database: it exists with mode 0600 before SQLite opens it. It has no journal. Until it is made
//! durable at the end, a crash can leave anything in it; the file is then found by the restore's id and removed. A trial has
//! no id by which its file could be found after a crash, so its file is unlinked as soon as it is open.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use crate::error::{Error, Result};

/// The name under which the file is attached.
pub(super) const STAGE: &str = "strongroom_stage";

/// SQLite's page cache for the file in KiB.
const CACHE: u32 = 16 << 10;

/// 32 hexadecimal digits for a restore's id: those of a UUID.
pub(super) fn digits(restore: &str) -> String {
    let digits: String = restore.chars().filter(|character| *character != '-').collect();
    if digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return digits.to_ascii_lowercase();
    }
    hex::encode(&Sha256::digest(restore.as_bytes())[..16])
}

/// Identifies the database, whatever its path: its file's device and inode.
pub(crate) fn place_of(database: &Path) -> String {
    match fs::metadata(database) {
        Ok(file) => format!("{} {}", file.dev(), file.ino()),
        Err(_) => real(database).to_string_lossy().into_owned(),
    }
}

/// The directory in which SQLite and we create files beside the database. A link is followed, as in SQLite.
pub(super) fn folder(database: &Path) -> PathBuf {
    let database = real(database);
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// The database file itself, if `database` is a link.
fn real(database: &Path) -> PathBuf {
    fs::canonicalize(database).unwrap_or_else(|_| database.to_owned())
}

/// The path of a restore's file.
pub(super) fn path(database: &Path, digits: &str) -> PathBuf {
    let mut name: OsString = real(database).into_os_string();
    name.push(format!(".strongroom-{digits}"));
    name.into()
}

/// Creates the file and attaches it. `is_trial`: the file is then unlinked.
pub(super) async fn create(
    connection: &mut SqliteConnection,
    path: &Path,
    is_trial: bool,
    source: &str,
) -> Result<()> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    created.map_err(failed(source, "making the file for staged rows"))?;
    let attached = attach(connection, path, source).await;
    if attached.is_err() || is_trial {
        remove(path).map_err(failed(source, "removing the file for staged rows"))?;
    }
    attached?;
    for pragma in
        ["journal_mode = OFF".to_owned(), "synchronous = OFF".to_owned(), format!("cache_size = -{CACHE}")]
    {
        let sql = format!("PRAGMA {STAGE}.{pragma}");
        sqlx::query(AssertSqlSafe(sql))
            .execute(&mut *connection)
            .await
            .map_err(|error| Error::database(source, "preparing the file for staged rows", &error))?;
    }
    Ok(())
}

/// Attaches an existing file.
pub(super) async fn attach(connection: &mut SqliteConnection, path: &Path, source: &str) -> Result<()> {
    let Some(text) = path.to_str() else {
        let source_error = io::Error::new(io::ErrorKind::InvalidFilename, "its path is not UTF-8");
        return Err(failed(source, "opening the file for staged rows")(source_error));
    };
    sqlx::query(AssertSqlSafe(format!("ATTACH DATABASE ?1 AS {STAGE}")))
        .bind(text)
        .execute(connection)
        .await
        .map(drop)
        .map_err(|error| Error::database(source, "opening the file for staged rows", &error))
}

/// Makes the file durable, including its name in the directory.
pub(super) fn sync(path: &Path, source: &str) -> Result<()> {
    let sync = || {
        File::open(path)?.sync_all()?;
        sync_folder(path)
    };
    sync().map_err(failed(source, "syncing the staged rows to disk"))
}

/// Removes the file and any files that SQLite created beside it. None of them need exist.
pub(super) fn discard(path: &Path, source: &str) -> Result<()> {
    let remove_all = || {
        for suffix in ["-journal", "-wal", "-shm", ""] {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            remove(Path::new(&name))?;
        }
        sync_folder(path)
    };
    remove_all().map_err(failed(source, "removing the file with staged rows"))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failed(source: &str, what: &'static str) -> impl Fn(io::Error) -> Error {
    let name = source.to_owned();
    move |source| Error::File { what: what.to_owned(), name: name.clone(), source }
}
