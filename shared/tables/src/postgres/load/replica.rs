//! Whether this role may write as a replica does, which keeps foreign keys and triggers from firing without changing them.

use super::statements::{Failure, Session};
use crate::names::quoted;

/// The right to set `session_replication_role`.
pub(super) struct Replica {
    pub(super) is_allowed: bool,
    pub(super) role: String,
    /// The statement that grants it; empty before version 15, where only superusers have it.
    pub(super) grant: String,
}

#[derive(sqlx_macros::FromRow)]
struct Row {
    role: String,
    allowed: bool,
}

pub(super) async fn of(session: &mut Session<'_>) -> Result<Replica, Failure> {
    let has_grants = session.connection.server_version_num().unwrap_or(0) >= 150_000;
    let allowed = if has_grants {
        "has_parameter_privilege('session_replication_role', 'SET')"
    } else {
        "current_setting('is_superuser') = 'on'"
    };
    let sql = format!("SELECT current_user::text AS role, {allowed} AS allowed");
    let row: Row = session.row("looking at the rights", sql).await?;
    let grant = format!("GRANT SET ON PARAMETER session_replication_role TO {}", quoted(&row.role));
    Ok(Replica {
        is_allowed: row.allowed,
        grant: if has_grants { grant } else { String::new() },
        role: row.role,
    })
}

/// Takes the replica role until the end of the transaction.
pub(super) async fn take(session: &mut Session<'_>) -> Result<(), Failure> {
    let sql = "SET LOCAL session_replication_role = replica".to_owned();
    session.run("taking the replica role", sql).await.map(drop)
}
