//! Exchanges rows without firing triggers and foreign keys, which would otherwise act on each row in an arbitrary order: the
//! tables will hold the archive's contents, and references are checked separately.
//!
//! Under the replica role, only triggers that fire for replicas need disabling. Without it, each enabled trigger is disabled,
//! and the foreign keys that would block or follow changes are dropped, because the owner of a table may not disable
//! the triggers of its foreign keys. Either way everything is restored by name: `ENABLE TRIGGER USER` would not restore
//! each trigger's setting that says in which sessions it fires (origin, replica, or all).

use super::locks::keep_readers_out;
use super::references::{Reference, members};
use super::statements::{Failure, Session};
use crate::names::quoted;
use crate::postgres::naming::qualified;
use crate::postgres::types::Oid;

/// The disabled triggers and dropped keys.
pub(super) struct Quiet {
    triggers: Vec<Trigger>,
    keys: Vec<Reference>,
}

#[derive(sqlx_macros::FromRow)]
struct Trigger {
    namespace: String,
    table: String,
    name: String,
    /// `pg_trigger.tgenabled`.
    state: String,
}

/// Runs in the transaction that holds `tables`. `keys` are dropped unless the replica role can be used.
pub(super) async fn begin(
    session: &mut Session<'_>,
    is_replica: bool,
    tables: &[Oid],
    keys: Vec<Reference>,
) -> Result<Quiet, Failure> {
    let firing = if is_replica { "'A', 'R'" } else { "'O', 'A', 'R'" };
    let sql = format!(
        "WITH RECURSIVE members (oid, root, depth) AS ({})
         SELECT n.nspname::text AS namespace, c.relname::text AS table, t.tgname::text AS name,
                t.tgenabled::text AS state
         FROM members m JOIN pg_trigger t ON t.tgrelid = m.oid AND NOT t.tgisinternal
         JOIN pg_class c ON c.oid = m.oid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE t.tgenabled IN ({firing}) ORDER BY m.depth, n.nspname, c.relname, t.tgname",
        with_depth(tables)
    );
    let triggers: Vec<Trigger> = session.rows("reading the triggers", sql).await?;
    let keys = if is_replica { Vec::new() } else { keys };
    let quiet = Quiet { triggers, keys };
    let ends = quiet.keys.iter().flat_map(|key| [key.from.rows(), key.to.rows()]);
    keep_readers_out(session, &ends.collect::<Vec<_>>()).await?;
    let keys = quiet.keys.iter().map(Reference::drop_statement);
    let triggers = quiet.triggers.iter().map(|trigger| trigger.set("DISABLE"));
    session.run_each("disabling the triggers", keys.chain(triggers).collect()).await?;
    Ok(quiet)
}

impl Quiet {
    /// Restores everything. Deferred checks run before that, because a table with pending triggers cannot be altered.
    pub(super) async fn end(self, session: &mut Session<'_>) -> Result<(), Failure> {
        session.run("checking deferred constraints", "SET CONSTRAINTS ALL IMMEDIATE".to_owned()).await?;
        for key in &self.keys {
            session.run(&format!("adding the foreign key {}", key.name), key.add_statement()).await?;
        }
        let triggers = self.triggers.iter().map(|trigger| trigger.set(trigger.enable()));
        session.run_each("enabling the triggers", triggers.collect()).await
    }
}

impl Trigger {
    fn enable(&self) -> &'static str {
        match self.state.as_str() {
            "A" => "ENABLE ALWAYS",
            "R" => "ENABLE REPLICA",
            _ => "ENABLE",
        }
    }

    /// Sets the state on this table alone: each partition has its own state.
    fn set(&self, state: &str) -> String {
        let table = qualified(&self.namespace, &self.table);
        format!("ALTER TABLE ONLY {table} {state} TRIGGER {}", quoted(&self.name))
    }
}

/// Like [`members`], with the level of each partition: lower levels are restored last, so that they do not inherit their
/// parent's state.
fn with_depth(tables: &[Oid]) -> String {
    let plain = members(tables);
    plain.replacen("o::oid, o::oid", "o::oid, o::oid, 0", 1).replacen("m.root", "m.root, m.depth + 1", 1)
}
