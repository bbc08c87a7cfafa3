//! Objects attached to tables, partitions and views: indexes, triggers, rules.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{Index, Trigger, TriggerState};

use super::types::Oid;

/// Attached objects of one relation; each list is ordered by name.
#[derive(Default)]
pub(super) struct Attached {
    pub(super) indexes: Vec<Index>,
    pub(super) triggers: Vec<Trigger>,
    pub(super) rules: Vec<Trigger>,
}

#[derive(sqlx_macros::FromRow)]
struct AttachedRow {
    relation: Oid,
    kind: String,
    name: String,
    definition: String,
    state: Option<String>,
}

/// By relation: the objects that no constraint created and no parent passed down. A trigger that a parent passed down is
/// listed too if its state differs from the parent's. As in pg_dump, an invalid index is left out, because its build failed
/// or is still running; but that of a partitioned table is listed, because it is also invalid while a partition lacks it.
pub(super) async fn list(
    connection: &mut PgConnection,
    relations: &[Oid],
) -> sqlx::Result<HashMap<Oid, Attached>> {
    // Before version 13, a partition's copy of a trigger is internal.
    let own = match connection.server_version_num() {
        Some(version) if version >= 130_000 => {
            "AND NOT EXISTS (SELECT FROM pg_trigger p WHERE p.oid = t.tgparentid AND p.tgenabled = t.tgenabled)"
        }
        _ => "",
    };
    let sql = format!(
        "SELECT i.indrelid::int8 AS relation, 'index' AS kind, c.relname::text AS name,
                pg_get_indexdef(i.indexrelid) AS definition, NULL AS state
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE i.indrelid = ANY ($1::int8[]::oid[]) AND NOT c.relispartition
           AND (i.indisvalid OR c.relkind = 'I') AND i.indisready
           AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid
                           AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x'))
         UNION ALL
         SELECT t.tgrelid::int8, 'trigger', t.tgname::text, pg_get_triggerdef(t.oid), t.tgenabled::text
         FROM pg_trigger t
         WHERE t.tgrelid = ANY ($1::int8[]::oid[]) AND NOT t.tgisinternal {own}
         UNION ALL
         SELECT r.ev_class::int8, 'rule', r.rulename::text, pg_get_ruledef(r.oid), r.ev_enabled::text
         FROM pg_rewrite r
         WHERE r.ev_class = ANY ($1::int8[]::oid[]) AND r.rulename <> '_RETURN'
         ORDER BY relation, kind, name"
    );
    let rows: Vec<AttachedRow> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(relations).persistent(false).fetch_all(connection).await?;
    let mut by_relation: HashMap<Oid, Attached> = HashMap::new();
    for row in rows {
        by_relation.entry(row.relation).or_default().add(row);
    }
    Ok(by_relation)
}

impl Attached {
    fn add(&mut self, row: AttachedRow) {
        let AttachedRow { kind, name, definition, state, .. } = row;
        let state = state.as_deref().map(state_of);
        match kind.as_str() {
            "index" => self.indexes.push(Index { name, definition }),
            "trigger" => self.triggers.push(Trigger { name, definition, state }),
            _ => self.rules.push(Trigger { name, definition, state }),
        }
    }
}

fn state_of(code: &str) -> TriggerState {
    match code {
        "D" => TriggerState::Disabled,
        "R" => TriggerState::Replica,
        "A" => TriggerState::Always,
        _ => TriggerState::Origin,
    }
}
