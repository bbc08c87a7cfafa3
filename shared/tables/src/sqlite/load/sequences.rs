//! The counters of AUTOINCREMENT tables, which never go back: a number that was used may be known elsewhere.

use sqlx::sqlite::SqliteConnection;

use super::super::tokens::tokens;
use super::live::Live;
use super::pair::Pair;
use crate::load::Wanted;

/// Raises each counter to its value in the archive. SQLite itself raises it for inserted rows.
pub(super) async fn raise(
    connection: &mut SqliteConnection,
    live: &Live,
    wanted: &Wanted,
    pairs: &[Pair],
) -> sqlx::Result<()> {
    for sequence in &wanted.record.sequences {
        let pair = pairs.iter().find(|pair| pair.live.eq_ignore_ascii_case(&sequence.name));
        let Some(pair) = pair.filter(|pair| counts(live, &pair.live)) else { continue };
        let raised = sqlx::query(
            "UPDATE main.sqlite_sequence SET seq = max(CAST(seq AS INTEGER), ?2) WHERE name = ?1",
        )
        .bind(&pair.live)
        .bind(sequence.last_value)
        .execute(&mut *connection)
        .await?;
        if raised.rows_affected() == 0 {
            sqlx::query("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?1, ?2)")
                .bind(&pair.live)
                .bind(sequence.last_value)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

fn counts(live: &Live, table: &str) -> bool {
    let sql = live.table(table).and_then(|table| table.schema.sql.as_deref()).unwrap_or_default();
    tokens(sql).iter().any(|token| token.is_word("autoincrement"))
}
