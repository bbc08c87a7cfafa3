//! How a table stores its rows, and to whom it shows them.

use std::collections::HashMap;

use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{Policy, RowSecurity, TableName};

use super::types::Oid;

/// Properties of one table.
#[derive(Default)]
pub(super) struct Properties {
    pub(super) row_security: Option<RowSecurity>,
    pub(super) replica_identity: Option<String>,
    pub(super) inherits: Vec<TableName>,
    pub(super) unlogged: bool,
    pub(super) policies: Vec<Policy>,
}

#[derive(sqlx_macros::FromRow)]
struct PropertiesRow {
    relation: Oid,
    unlogged: bool,
    secured: bool,
    forced: bool,
    identity: String,
    identity_index: Option<String>,
    parent_namespaces: Vec<String>,
    parents: Vec<String>,
}

/// Properties by table. A partition's parents do not count as inheritance.
pub(super) async fn list(
    connection: &mut PgConnection,
    relations: &[Oid],
    has_policies: bool,
) -> sqlx::Result<HashMap<Oid, Properties>> {
    let rows: Vec<PropertiesRow> = sqlx::query_as(
        "SELECT c.oid::int8 AS relation, c.relpersistence = 'u' AS unlogged, c.relrowsecurity AS secured,
                c.relforcerowsecurity AS forced, c.relreplident::text AS identity,
                (SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                 WHERE i.indrelid = c.oid AND i.indisreplident) AS identity_index,
                ARRAY(SELECT n.nspname::text FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhparent
                      JOIN pg_namespace n ON n.oid = p.relnamespace
                      WHERE h.inhrelid = c.oid ORDER BY h.inhseqno) AS parent_namespaces,
                ARRAY(SELECT p.relname::text FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhparent
                      WHERE h.inhrelid = c.oid ORDER BY h.inhseqno) AS parents
         FROM pg_class c WHERE c.oid = ANY ($1::int8[]::oid[]) AND NOT c.relispartition",
    )
    .bind(relations)
    .persistent(false)
    .fetch_all(&mut *connection)
    .await?;
    let mut policies = match has_policies {
        true => policies(connection, relations).await?,
        false => HashMap::new(),
    };
    let with_policies = rows.into_iter().map(|row| {
        let policies = policies.remove(&row.relation).unwrap_or_default();
        (row.relation, row.with(policies))
    });
    Ok(with_policies.collect())
}

impl PropertiesRow {
    fn with(self, policies: Vec<Policy>) -> Properties {
        let parents = self.parent_namespaces.into_iter().zip(self.parents);
        Properties {
            row_security: (self.secured || self.forced)
                .then_some(RowSecurity { enabled: self.secured, forced: self.forced }),
            replica_identity: match self.identity.as_str() {
                "f" => Some("full".to_owned()),
                "n" => Some("nothing".to_owned()),
                "i" => self.identity_index.map(|index| format!("index {index}")),
                _ => None,
            },
            inherits: parents.map(|(namespace, table)| TableName { namespace, table }).collect(),
            unlogged: self.unlogged,
            policies,
        }
    }
}

#[derive(sqlx_macros::FromRow)]
struct PolicyRow {
    relation: Oid,
    name: String,
    command: String,
    permissive: bool,
    roles: Vec<String>,
    using: Option<String>,
    with_check: Option<String>,
}

async fn policies(
    connection: &mut PgConnection,
    relations: &[Oid],
) -> sqlx::Result<HashMap<Oid, Vec<Policy>>> {
    let rows: Vec<PolicyRow> = sqlx::query_as(
        "SELECT p.polrelid::int8 AS relation, p.polname::text AS name,
                CASE p.polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update'
                              WHEN 'd' THEN 'delete' ELSE 'all' END AS command,
                p.polpermissive AS permissive,
                ARRAY(SELECT coalesce(r.rolname::text, 'public')
                      FROM unnest(p.polroles) AS u (oid) LEFT JOIN pg_roles r ON r.oid = u.oid
                      ORDER BY 1) AS roles,
                pg_get_expr(p.polqual, p.polrelid) AS using,
                pg_get_expr(p.polwithcheck, p.polrelid) AS with_check
         FROM pg_policy p WHERE p.polrelid = ANY ($1::int8[]::oid[])
         ORDER BY p.polrelid, p.polname",
    )
    .bind(relations)
    .persistent(false)
    .fetch_all(connection)
    .await?;
    let mut by_relation: HashMap<Oid, Vec<Policy>> = HashMap::new();
    for PolicyRow { relation, name, command, permissive, roles, using, with_check } in rows {
        let policy = Policy { name, command, permissive, roles, using, check: with_check };
        by_relation.entry(relation).or_default().push(policy);
    }
    Ok(by_relation)
}
