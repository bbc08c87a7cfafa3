//! Schemas that something is created in: missing tables, and indexes that are built again behind the rows of empty ones, for
//! which owning the table is not enough (PostgreSQL's CREATE INDEX).

use std::collections::BTreeSet;

use super::facts::Facts;
use crate::load::{Mode, Refusal, TargetOptions, Wanted};
use crate::names::quoted;
use crate::postgres::load::create::schemas_beside;
use crate::postgres::load::pair::{TablePair, live_name};
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
    let needed = needed(options, wanted, pairs, facts);
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

fn needed(
    options: &TargetOptions,
    wanted: &Wanted,
    pairs: &[Option<TablePair>],
    facts: &Facts,
) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for (table, pair) in wanted.tables.iter().zip(pairs) {
        match pair {
            Some(pair) => {
                needed.extend(facts.of(pair).into_iter().flat_map(|fact| fact.index_schemas.iter().cloned()));
            }
            None if wanted.create_tables => {
                needed.insert(live_name(options, &table.schema).namespace);
                needed.extend(schemas_beside(&table.schema));
            }
            None => {}
        }
    }
    needed
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
