//! Data that lives outside of tables and is not exported: named, with what a restore would need to know.

use sqlx::postgres::PgConnection;

use super::naming::{archive_name, qualified};
use crate::options::{Skipped, SnapshotOptions};

#[derive(sqlx_macros::FromRow)]
struct Sequence {
    namespace: String,
    name: String,
    readable: bool,
    position: Option<i64>,
}

/// Sequences that were used, and large objects. A sequence does not follow the snapshot: read after it was fixed, it
/// stands at or behind every number that the rows have.
pub(super) async fn list(
    connection: &mut PgConnection,
    options: &SnapshotOptions,
) -> sqlx::Result<Vec<Skipped>> {
    let mut skipped = Vec::new();
    for sequence in sequences(connection).await? {
        let Sequence { namespace, name, readable, position } = sequence;
        let shown = archive_name(&namespace, &name);
        let in_schemas = options.schemas.is_empty() || options.schemas.contains(&namespace);
        if !in_schemas || !options.selects(&shown) {
            continue;
        }
        let reason = match (readable, position) {
            (true, Some(position)) => format!("sequence: it stands at {position}"),
            (true, None) => continue,
            (false, _) => format!(
                "sequence: the database user may not read where it stands; GRANT SELECT ON SEQUENCE {} to it",
                qualified(&namespace, &name)
            ),
        };
        skipped.push(Skipped { name: shown, reason });
    }
    skipped.extend(large_objects(connection).await?);
    Ok(skipped)
}

/// Its position is `None` until a sequence is used for the first time.
async fn sequences(connection: &mut PgConnection) -> sqlx::Result<Vec<Sequence>> {
    sqlx::query_as(
        "SELECT s.namespace, s.name, s.readable,
                CASE WHEN s.readable THEN pg_sequence_last_value(s.oid) END AS position
         FROM (SELECT n.nspname::text AS namespace, c.relname::text AS name, c.oid,
                      has_sequence_privilege(c.oid, 'SELECT, USAGE') AS readable
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
                 AND NOT (c.relpersistence = 'u' AND pg_is_in_recovery())
                 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                                 AND d.objid = c.oid AND d.deptype = 'e')
               OFFSET 0) AS s
         ORDER BY s.namespace, s.name",
    )
    .persistent(false)
    .fetch_all(connection)
    .await
}

async fn large_objects(connection: &mut PgConnection) -> sqlx::Result<Option<Skipped>> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_largeobject_metadata")
        .persistent(false)
        .fetch_one(connection)
        .await?;
    let reason = format!("{count} large objects: their bytes are not in any table");
    Ok((count > 0).then(|| Skipped { name: "large objects".to_owned(), reason }))
}
