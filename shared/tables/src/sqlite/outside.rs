//! Data that lives outside of tables and is not exported: named, with what a restore would need to know.

use sqlx::sqlite::SqliteConnection;

use crate::options::Skipped;

/// The positions of AUTOINCREMENT, and the two numbers that applications keep in the file's header.
pub(super) async fn list(connection: &mut SqliteConnection) -> sqlx::Result<Vec<Skipped>> {
    let mut skipped = Vec::new();
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence')")
            .fetch_one(&mut *connection)
            .await?;
    if exists {
        // Applications may write to this table: it has no types.
        let positions: Vec<(String, String)> = sqlx::query_as(
            "SELECT CAST(name AS TEXT), CAST(seq AS TEXT) FROM main.sqlite_sequence
             WHERE name IS NOT NULL AND seq IS NOT NULL ORDER BY 1",
        )
        .fetch_all(&mut *connection)
        .await?;
        skipped.extend(positions.into_iter().map(|(table, position)| Skipped {
            name: format!("sqlite_sequence.{table}"),
            reason: format!("AUTOINCREMENT: it stands at {position}"),
        }));
    }
    for name in ["user_version", "application_id"] {
        let sql = format!("PRAGMA main.{name}");
        let value: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
        if value != 0 {
            let reason = format!("number in the file's header: {value}");
            skipped.push(Skipped { name: name.to_owned(), reason });
        }
    }
    Ok(skipped)
}
