//! Schemas in which objects are created: missing tables with their views and sequences, and indexes that are rebuilt after
//! loading rows into empty tables, for which owning the table is not enough (PostgreSQL's CREATE INDEX).

use std::collections::BTreeSet;

use super::facts::Facts;
use crate::load::{Mode, Refusal, TargetOptions, Wanted};
use crate::names::quoted;
use crate::postgres::load::create;
use crate::postgres::load::pair::TablePair;
use crate::postgres::load::statements::{Failure, Session, literals};

#[derive(sqlx_macros::FromRow)]
struct Row {
    schema: String,
    exists: bool,
    database: String,
}

pub(super) async fn refusals(
    session: &mut Session<'_>,
    options: &TargetOptions,
    wanted: &Wanted,
    pairs: &[Option<TablePair>],
    facts: &Facts,
    role: &str,
) -> Result<Vec<Refusal>, Failure> {
    if wanted.mode != Mode::IntoEmpty {
        return Ok(Vec::new());
    }
    let facts = pairs.iter().flatten().filter_map(|pair| facts.of(pair));
    let mut needed: BTreeSet<String> = facts.flat_map(|fact| fact.index_schemas.iter().cloned()).collect();
    if wanted.create_tables {
        needed.extend(create::needed_schemas(&mut *session.connection, options, wanted).await?);
    }
    let sql = format!(
        "SELECT w.schema, n.oid IS NOT NULL AS exists, current_database()::text AS database
         FROM unnest({}) AS w (schema) LEFT JOIN pg_namespace n ON n.nspname = w.schema
         WHERE NOT coalesce(has_schema_privilege(n.oid, 'CREATE'),
                            has_database_privilege(current_database(), 'CREATE'))
         ORDER BY 1",
        literals(needed.iter().map(String::as_str))
    );
    let rows: Vec<Row> = session.rows("looking at the schemas", sql).await?;
    Ok(rows.into_iter().map(|row| refusal(&row, role)).collect())
}

fn refusal(row: &Row, role: &str) -> Refusal {
    let (schema, role_name) = (quoted(&row.schema), quoted(role));
    let (what, grant) = if row.exists {
        let what = format!("create tables or indexes in the schema {schema}");
        (what, format!("GRANT CREATE ON SCHEMA {schema} TO {role_name}"))
    } else {
        let grant = format!("GRANT CREATE ON DATABASE {} TO {role_name}", quoted(&row.database));
        (format!("create the schema {schema}"), grant)
    };
    Refusal::Right { role: role.to_owned(), what, grant }
}
