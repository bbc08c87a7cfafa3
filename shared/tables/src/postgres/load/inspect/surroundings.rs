//! The surroundings of the restored tables: tables that reference them or are referenced by them, sequences, materialized
//! views.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgRow;

use crate::load::{Mode, Refusal, Wanted};
use crate::names::quoted;
use crate::postgres::codes;
use crate::postgres::load::pair::TablePair;
use crate::postgres::load::references::{self, Reference, members};
use crate::postgres::load::replica::Replica;
use crate::postgres::load::sequences;
use crate::postgres::load::statements::{Failure, Session};
use crate::postgres::session;
use crate::postgres::types::Oid;

/// The findings.
pub(super) struct Surroundings {
    pub(super) refusals: Vec<Refusal>,
    pub(super) warnings: Vec<String>,
    /// Whether foreign keys must be dropped temporarily if the replica role cannot be used.
    pub(super) drops_keys: bool,
}

pub(super) async fn look(
    session: &mut Session<'_>,
    wanted: &Wanted,
    pairs: &[&TablePair],
    replica: &Replica,
) -> Result<Surroundings, Failure> {
    let oids: Vec<Oid> = pairs.iter().map(|pair| pair.oid).collect();
    let follows = wanted.accept_cascade && wanted.mode == Mode::Replace;
    let keys = references::of_set(session, &oids, follows).await?;
    let used = sequences::used(session, &oids).await?;
    let mut refusals = Vec::new();
    if wanted.mode != Mode::IntoEmpty {
        let rights = outside(session, &keys).await?;
        refusals.extend(outside_refusals(wanted, replica, &keys, &rights));
        refusals.extend(keys.iter().filter(|key| key.is_temporal && replica.is_allowed).map(temporal));
    }
    refusals.extend(used.iter().filter(|one| !one.is_writable).map(|one| Refusal::Right {
        role: replica.role.clone(),
        what: format!("set the sequence {}, which gives numbers to a restored table", one.qualified()),
        grant: format!("GRANT UPDATE ON SEQUENCE {} TO {}", one.qualified(), quoted(&replica.role)),
    }));
    let mut warnings = stale_views(session, &oids).await?;
    warnings.extend(sequences::missing(session, &wanted.record, &used).await?);
    let is_dropped = |key: &Reference| match wanted.mode {
        // A key that references an outside table can stay while rows are exchanged.
        Mode::Replace => !key.to.is_outside(),
        _ => !key.to.is_outside() && !key.from.is_outside(),
    };
    Ok(Surroundings { refusals, warnings, drops_keys: keys.iter().any(is_dropped) })
}

fn temporal(key: &Reference) -> Refusal {
    let problem = format!("its foreign key {} has a PERIOD, which is not checked yet", key.name);
    Refusal::Unsupported { table: key.from.name(), problem }
}

/// An outside table at either end of a foreign key.
#[derive(sqlx_macros::FromRow)]
struct Outside {
    table: Oid,
    owner: String,
    is_owned: bool,
    may_read: bool,
}

async fn outside(session: &mut Session<'_>, keys: &[Reference]) -> Result<Vec<Outside>, Failure> {
    let ends: Vec<String> =
        keys.iter().flat_map(|key| [key.from.oid, key.to.oid]).map(|oid| oid.to_string()).collect();
    let sql = format!(
        "SELECT c.oid::int8 AS table, pg_get_userbyid(c.relowner)::text AS owner,
                pg_has_role(c.relowner, 'USAGE') AS is_owned,
                has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(c.relnamespace, 'USAGE')
                    AND NOT row_security_active(c.oid) AS may_read
         FROM pg_class c WHERE c.oid = ANY ('{{{}}}'::int8[]::oid[])",
        ends.join(",")
    );
    session.rows("inspecting the surrounding tables", sql).await
}

/// References are checked by reading both ends. Dropping or following a foreign key requires owning its table.
fn outside_refusals(
    wanted: &Wanted,
    replica: &Replica,
    keys: &[Reference],
    rights: &[Outside],
) -> Vec<Refusal> {
    let of = |oid: Oid| rights.iter().find(|one| one.table == oid);
    let mut refusals = Vec::new();
    for key in keys {
        let into = key.from.is_outside() && wanted.mode == Mode::Replace;
        let ends = [
            (into.then(|| of(key.from.oid)).flatten(), key.from.name(), key.from.qualified()),
            (key.to.is_outside().then(|| of(key.to.oid)).flatten(), key.to.name(), key.to.qualified()),
        ];
        for (right, name, qualified) in ends {
            if right.is_some_and(|right| !right.may_read) {
                refusals.push(Refusal::Right {
                    role: replica.role.clone(),
                    what: format!(
                        "read all rows of {name}, at the other end of the foreign key {}",
                        key.name
                    ),
                    grant: format!("GRANT SELECT ON {qualified} TO {}", quoted(&replica.role)),
                });
            }
        }
        let changes = !replica.is_allowed || (wanted.accept_cascade && key.acts());
        if let (true, Some(right)) = (into && changes, of(key.from.oid).filter(|right| !right.is_owned)) {
            refusals.push(Refusal::NotOwner { table: key.from.name(), owner: right.owner.clone() });
        }
    }
    refusals
}

/// Materialized views that read the tables, directly or through other views.
async fn stale_views(session: &mut Session<'_>, oids: &[Oid]) -> Result<Vec<String>, Failure> {
    let sql = format!(
        "WITH RECURSIVE members (oid, root) AS ({}),
         readers (oid) AS (
             SELECT m.oid FROM members m
             UNION
             SELECT r.ev_class FROM readers b
             JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = b.oid
                             AND d.classid = 'pg_rewrite'::regclass
             JOIN pg_rewrite r ON r.oid = d.objid
         )
         SELECT DISTINCT format('%I.%I', n.nspname, c.relname) FROM readers b
         JOIN pg_class c ON c.oid = b.oid AND c.relkind = 'm' JOIN pg_namespace n ON n.oid = c.relnamespace
         ORDER BY 1",
        members(oids)
    );
    let views: Vec<(String,)> = session.rows("looking for materialized views", sql).await?;
    let stale = |(view,): (String,)| {
        format!(
            "the materialized view {view} reads restored tables and is stale afterwards: REFRESH MATERIALIZED VIEW {view}"
        )
    };
    Ok(views.into_iter().map(stale).collect())
}

/// The rows that a statement returns; `None` if this role may not run it.
pub(super) async fn attempt<T>(
    session: &mut Session<'_>,
    what: &str,
    sql: String,
) -> Result<Option<Vec<T>>, Failure>
where
    T: Send + Unpin + for<'r> sqlx::FromRow<'r, PgRow>,
{
    let tried = session::attempt(session.connection, async |connection| {
        sqlx::query_as(AssertSqlSafe(sql)).persistent(false).fetch_all(connection).await
    });
    let done = tried.await.map_err(|error| Failure::server(what, error))?;
    match done {
        Ok(rows) => Ok(Some(rows)),
        Err(error) if crate::fault::sqlstate(&error) == Some(codes::INSUFFICIENT_PRIVILEGE) => Ok(None),
        Err(error) => Err(Failure::server(what, error)),
    }
}
