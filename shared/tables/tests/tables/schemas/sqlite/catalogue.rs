//! The facts in the file itself.

use sqlx::sqlite::SqliteConnection;

use crate::schemas::facts::Facts;

pub async fn facts(connection: &mut SqliteConnection) -> Facts {
    let mut facts = Facts::default();
    let rows: Vec<(String, String, Option<String>)> =
        sqlx::query_as(include_str!("catalogue.sql")).fetch_all(connection).await.unwrap();
    for (owner, element, value) in rows {
        facts.note_some(&owner, &element, value.as_ref());
    }
    facts
}
