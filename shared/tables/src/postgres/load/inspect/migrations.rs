//! Checks whether the archive comes from a newer version of the application.
//!
//! The server does the comparison, because the target's table can have any number of rows.

use crate::error::Result;
use crate::load::{Mode, Refusal, TargetOptions, Wanted};
use crate::names::quoted;
use crate::postgres::load::statements::{Failure, Session, literal, literals};
use crate::postgres::naming::qualified;

/// Number of ids named in a refusal.
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
    let (known, newer) = match tables.first() {
        Some((namespace, table)) => {
            let table = qualified(namespace, table);
            let newer = newer(&table, &quoted(&recorded.column), &recorded.ids);
            let newer: Vec<(String,)> = session.rows(WHAT, newer).await?;
            let known = format!(
                "SELECT count(*) FROM (SELECT FROM {table} WHERE {} IS NOT NULL LIMIT 1) AS one",
                quoted(&recorded.column)
            );
            (session.count(WHAT, known).await?, newer.into_iter().map(|(id,)| id).collect())
        }
        // The table will be created with all its ids.
        None if wanted.create_tables => return Ok(None),
        None => (0, recorded.ids.iter().take(NAMED).cloned().collect::<Vec<String>>()),
    };
    // An empty migrations table is as empty as the other tables.
    if known == 0 && wanted.mode == Mode::IntoEmpty {
        return Ok(None);
    }
    Ok((!newer.is_empty()).then(|| Refusal::NewerMigrations { ids: newer.join(", ") }))
}

/// The first of `ids` that are not in the table.
fn newer(table: &str, column: &str, ids: &[String]) -> String {
    format!(
        "SELECT w.id FROM unnest({}) WITH ORDINALITY AS w (id, place)
         WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE t.{column}::text COLLATE \"C\" = w.id) ORDER BY w.place LIMIT {NAMED}",
        literals(ids.iter().map(String::as_str))
    )
}
