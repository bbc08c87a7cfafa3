//! Disables triggers fired by INSERT, and restores their states.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::super::references::members;
use super::super::session::run;
use crate::error::{Error, Result};
use crate::postgres::types::Oid;

/// Disables the triggers and returns the statements that restore each one's state. Uses ONLY, because a partition's copy of a
/// trigger can have a different state than its table's. Bit 4 of the trigger type is INSERT (pg_trigger.h).
pub(super) async fn disable(
    connection: &mut PgConnection,
    source: &str,
    tables: &[Oid],
) -> Result<Vec<String>> {
    const WHAT: &str = "disabling the triggers";
    let sql = format!(
        "WITH RECURSIVE members (oid, root) AS ({})
         SELECT format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', t.tgrelid::regclass, t.tgname),
            format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', t.tgrelid::regclass,
                   CASE t.tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, t.tgname)
         FROM members m JOIN pg_trigger t ON t.tgrelid = m.oid
         WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 4 <> 0
         ORDER BY t.tgrelid, t.tgname",
        members(tables)
    );
    let rows: Vec<(String, String)> = sqlx::query_as(AssertSqlSafe(sql))
        .persistent(false)
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| Error::database(source, WHAT, &error))?;
    let (disable, enable): (Vec<String>, Vec<String>) = rows.into_iter().unzip();
    run(connection, source, WHAT, disable.join(";\n")).await?;
    Ok(enable)
}
