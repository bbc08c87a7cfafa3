//! A hash of everything in the target's schema that a restore relies on.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnection;

use super::super::tokens::{Token, tokens};
use super::live::Live;
use crate::RESTORE_TABLES;
use crate::load::Wanted;

/// Lower-case hex SHA-256 over the tables' columns, keys and statements; over indexes, triggers, views and virtual tables
/// that name them; and over other tables' references to them. The absence of a table is part of it too.
pub(super) async fn of(
    connection: &mut SqliteConnection,
    live: &Live,
    wanted: &Wanted,
) -> sqlx::Result<String> {
    let names: BTreeSet<String> =
        wanted.tables.iter().map(|table| table.schema.table.to_ascii_lowercase()).collect();
    let mut hash = Sha256::new();
    for name in &names {
        add(&mut hash, name);
        let schema = live.table(name).map(|table| serde_json::to_string(&table.schema).unwrap_or_default());
        add(&mut hash, &schema.unwrap_or_default());
    }
    for table in live.tables.iter().filter(|table| !names.contains(&table.schema.table.to_ascii_lowercase()))
    {
        for key in &table.schema.foreign_keys {
            if names.contains(&key.references.table.to_ascii_lowercase()) {
                add(&mut hash, &table.schema.table);
                add(&mut hash, &serde_json::to_string(key).unwrap_or_default());
            }
        }
    }
    for (kind, name, table, sql) in statements(connection).await? {
        if names.contains(&table.to_ascii_lowercase()) || mentions(&sql, &names) {
            [kind, name, table, sql].iter().for_each(|part| add(&mut hash, part));
        }
    }
    Ok(hex::encode(hash.finalize()))
}

/// Excludes our own tables and those created by ANALYZE.
async fn statements(
    connection: &mut SqliteConnection,
) -> sqlx::Result<Vec<(String, String, String, String)>> {
    sqlx::query_as(
        "SELECT type, name, tbl_name, sql FROM main.sqlite_schema
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
           AND substr(tbl_name, 1, length(?1)) <> ?1 COLLATE NOCASE
         ORDER BY type, name",
    )
    .bind(RESTORE_TABLES)
    .fetch_all(connection)
    .await
}

fn mentions(sql: &str, names: &BTreeSet<String>) -> bool {
    let mut texts = tokens(sql).into_iter();
    texts.any(|token| match token {
        Token::Word(text) | Token::Quoted(text) => names.contains(&text.to_ascii_lowercase()),
        Token::Other(_) => false,
    })
}

/// Hashes each part's length first, so that two different lists of parts are never equal.
fn add(hash: &mut Sha256, part: &str) {
    hash.update((part.len() as u64).to_be_bytes());
    hash.update(part.as_bytes());
}
