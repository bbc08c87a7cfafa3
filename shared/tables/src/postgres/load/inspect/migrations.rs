//! Whether the archive comes from a newer version of the application.

use std::collections::HashSet;

use crate::error::Result;
use crate::load::{Mode, Refusal, TargetOptions, Wanted};
use crate::names::quoted;
use crate::postgres::load::statements::{Failure, Session, literal};
use crate::postgres::naming::qualified;

/// Ids that a refusal names.
const NAMED: usize = 10;

pub(super) async fn refusal(
    session: &mut Session<'_>,
    options: &TargetOptions,
    wanted: &Wanted,
) -> Result<Option<Refusal>, Failure> {
    const WHAT: &str = "reading the migrations";
    let (Some(recorded), Some(_)) = (&wanted.record.migrations, &options.read.migrations) else {
        return Ok(None);
    };
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = {} AND NOT a.attisdropped
         WHERE c.relkind IN ('r', 'p') AND has_table_privilege(c.oid, 'SELECT')
           AND CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname = {}",
        literal(&recorded.column),
        literal(&recorded.table)
    );
    let tables: Vec<(String, String)> = session.rows(WHAT, sql).await?;
    let known: HashSet<String> = match tables.first() {
        Some((namespace, table)) => {
            let column = quoted(&recorded.column);
            let sql = format!(
                "SELECT {column}::text FROM {} WHERE {column} IS NOT NULL",
                qualified(namespace, table)
            );
            let ids: Vec<(String,)> = session.rows(WHAT, sql).await?;
            ids.into_iter().map(|(id,)| id).collect()
        }
        // The table is created, with all its ids.
        None if wanted.create_tables => return Ok(None),
        None => HashSet::new(),
    };
    // An empty table of migrations is as empty as the others.
    if known.is_empty() && wanted.mode == Mode::IntoEmpty {
        return Ok(None);
    }
    let newer: Vec<&str> =
        recorded.ids.iter().filter(|id| !known.contains(*id)).map(String::as_str).take(NAMED).collect();
    Ok((!newer.is_empty()).then(|| Refusal::NewerMigrations { ids: newer.join(", ") }))
}
