//! Restores of the sample database: SQLite, with a fake vault that records requests.

mod life;
mod refused;
mod uploads;

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::support::stored::{Kind, Stored};

/// A service with a stored backup of everything, and the backup's id.
async fn with_backup() -> (Stored, String) {
    let mut stored = Stored::start(Kind::Folder, "").await;
    let request = strongroom_api::backup::v1::CreateBackupRequest {
        include: vec!["logs".into()],
        ..Default::default()
    };
    let id = stored.client.create_backup(request).await.unwrap().into_inner().backup.unwrap().id;
    let done = strongroom_api::backup::v1::BackupState::Available;
    stored.until(&id, |backup| backup.state() == done).await;
    (stored, id)
}

/// The single text that `sql` selects from the folder's database.
async fn text(folder: &Path, sql: &str) -> String {
    let options = SqliteConnectOptions::new().filename(folder.join("gateway.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let found = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    found
}

/// All users.
async fn users(folder: &Path) -> String {
    text(folder, "SELECT group_concat(id || name, ',') FROM (SELECT * FROM users ORDER BY id)").await
}

/// The service's own tables in the database and its files beside it.
async fn ours(folder: &Path) -> Vec<String> {
    let tables = "SELECT ifnull(group_concat(name), '') FROM sqlite_schema WHERE name LIKE '\\_strongroom%' ESCAPE '\\'";
    let tables = text(folder, tables).await;
    let mut found: Vec<String> =
        tables.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.contains("gateway.db.strongroom") {
            found.push(name);
        }
    }
    found
}
