//! The facts in the catalogue, queried by SQL written for the tests: each statement returns owner, element and value.

use sqlx::postgres::PgConnection;

use crate::schemas::facts::Facts;

const STATEMENTS: &[&str] = &[
    include_str!("catalogue/tables.sql"),
    include_str!("catalogue/columns.sql"),
    include_str!("catalogue/constraints.sql"),
    include_str!("catalogue/foreign_keys.sql"),
    include_str!("catalogue/indexes.sql"),
    include_str!("catalogue/triggers.sql"),
    include_str!("catalogue/policies.sql"),
    include_str!("catalogue/views.sql"),
    include_str!("catalogue/types.sql"),
    include_str!("catalogue/used_types.sql"),
];

/// Uses a view of the catalogue where one has the answer, because the code under test queries the underlying tables.
pub async fn facts(connection: &mut PgConnection) -> Facts {
    let mut facts = Facts::default();
    for statement in STATEMENTS {
        let rows: Vec<(String, String, Option<String>)> =
            sqlx::query_as(*statement).fetch_all(&mut *connection).await.unwrap();
        for (owner, element, value) in rows {
            facts.note_some(&owner, &element, value.as_ref());
        }
    }
    facts.keep_used_types();
    facts
}
