//! User-defined types. An extension's types come with it.

use std::collections::HashSet;

use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{Attribute, Constraint, TableSchema, UserType};

use super::super::session::run;
use super::super::statements::literal;
use super::statements::is_late;
use crate::error::{Error, Result};
use crate::names::quoted;

/// Creates the missing types, and returns the statements that must run after the rows are loaded. A table's types are listed
/// in an order in which they can be created.
pub(super) async fn create(
    connection: &mut PgConnection,
    source: &str,
    tables: &[TableSchema],
) -> Result<Vec<String>> {
    let mut late = Vec::new();
    let mut seen = HashSet::new();
    for one in tables.iter().flat_map(|table| &table.types) {
        let name = name_of(one);
        if !seen.insert(name) || exists(connection, source, name).await? {
            continue;
        }
        run(connection, source, format!("creating type {name}"), statement(one)).await?;
        late.extend(late_checks(one));
    }
    Ok(late)
}

/// Checks of a domain that ignore old values.
fn late_checks(one: &UserType) -> Vec<String> {
    let UserType::Domain { name, checks, .. } = one else { return Vec::new() };
    let late = checks.iter().filter(|check| is_late(check));
    let add = |check: &Constraint| {
        format!("ALTER DOMAIN {name} ADD CONSTRAINT {} {}", quoted(&check.name), check.definition)
    };
    late.map(add).collect()
}

async fn exists(connection: &mut PgConnection, source: &str, name: &str) -> Result<bool> {
    sqlx::query_scalar("SELECT to_regtype($1) IS NOT NULL")
        .bind(name)
        .persistent(false)
        .fetch_one(connection)
        .await
        .map_err(|error| Error::database(source, format!("looking for type {name}"), &error))
}

fn name_of(one: &UserType) -> &str {
    match one {
        UserType::Enum { name, .. }
        | UserType::Domain { name, .. }
        | UserType::Composite { name, .. }
        | UserType::Range { name, .. } => name,
    }
}

/// The schema of a name printed in SQL form.
pub(super) fn schema_of(one: &UserType) -> Option<String> {
    let name = name_of(one);
    if let Some(rest) = name.strip_prefix('"') {
        let (schema, _) = rest.split_once("\".")?;
        return Some(schema.replace("\"\"", "\""));
    }
    name.split_once('.').map(|(schema, _)| schema.to_owned())
}

fn statement(one: &UserType) -> String {
    match one {
        UserType::Enum { name, labels } => {
            let labels: Vec<String> = labels.iter().map(|label| literal(label)).collect();
            format!("CREATE TYPE {name} AS ENUM ({})", labels.join(", "))
        }
        UserType::Composite { name, attributes } => {
            let attributes: Vec<String> = attributes.iter().map(attribute).collect();
            format!("CREATE TYPE {name} AS ({})", attributes.join(", "))
        }
        UserType::Range { name, subtype } => format!("CREATE TYPE {name} AS RANGE (SUBTYPE = {subtype})"),
        UserType::Domain { name, base, nullable, collation, default, checks } => {
            let mut sql = format!("CREATE DOMAIN {name} AS {base}");
            sql.extend(collation.iter().map(|collation| format!(" COLLATE {collation}")));
            sql.extend(default.iter().map(|default| format!(" DEFAULT {default}")));
            sql.push_str(if *nullable { "" } else { " NOT NULL" });
            let check =
                |check: &Constraint| format!(" CONSTRAINT {} {}", quoted(&check.name), check.definition);
            sql.extend(checks.iter().filter(|check| !is_late(check)).map(check));
            sql
        }
    }
}

fn attribute(one: &Attribute) -> String {
    let collation = one.collation.iter().map(|collation| format!(" COLLATE {collation}")).collect::<String>();
    format!("{} {}{collation}", quoted(&one.name), one.type_name)
}
