//! Rows are exchanged without triggers and foreign keys noticing, which would otherwise act on each row and in an order
//! that does not matter: the tables hold what the archive says, and references are checked by themselves.
//!
//! Under the replica role only triggers that fire there are in the way. Without it, each trigger that is enabled is
//! disabled, and the foreign keys that would hold or follow rows are dropped; their owner may not disable their triggers.
//! Either way everything is put back by name: `ENABLE TRIGGER USER` would forget in which sessions each one fires.

use super::locks::keep_readers_out;
use super::references::{Reference, members};
use super::statements::{Failure, Session};
use crate::names::quoted;
use crate::postgres::naming::qualified;
use crate::postgres::types::Oid;

/// What was taken away.
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

/// In the transaction that holds `tables`. `keys` are dropped unless the replica role may be used.
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
    /// Puts everything back. What was put off to the end of the transaction happens before, because a table with pending
    /// triggers cannot be altered.
    pub(super) async fn end(self, session: &mut Session<'_>) -> Result<(), Failure> {
        session.run("checking what was put off", "SET CONSTRAINTS ALL IMMEDIATE".to_owned()).await?;
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

    /// Of this table alone: each partition has its own state.
    fn set(&self, state: &str) -> String {
        let table = qualified(&self.namespace, &self.table);
        format!("ALTER TABLE ONLY {table} {state} TRIGGER {}", quoted(&self.name))
    }
}

/// As [`members`], with the level of each partition: those below are put back last, whatever the server hands down.
fn with_depth(tables: &[Oid]) -> String {
    let plain = members(tables);
    plain.replacen("o::oid, o::oid", "o::oid, o::oid, 0", 1).replacen("m.root", "m.root, m.depth + 1", 1)
}
