//! Selected tables as one document, exported from the sample database and imported into it.

mod gatwy;
mod moved;
mod random;
mod refused;

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};

/// The single text that `sql` selects from the folder's database.
async fn text(folder: &Path, sql: &str) -> String {
    let options = SqliteConnectOptions::new().filename(folder.join("gateway.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let found: Option<String> =
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    found.unwrap_or_default()
}

/// All users.
async fn users(folder: &Path) -> String {
    text(folder, "SELECT group_concat(id || name, ',') FROM (SELECT * FROM users ORDER BY id)").await
}

/// The service's own tables in the database and its files beside it.
async fn ours(folder: &Path) -> Vec<String> {
    let tables = "SELECT group_concat(name) FROM sqlite_schema WHERE name LIKE '\\_strongroom%' ESCAPE '\\'";
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

/// The document with the first `from` replaced by `to`; `from` must occur.
fn replaced(document: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(document).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1).into_bytes()
}
