//! Catalogue data on each table apart from its definition.

use std::collections::HashMap;

use crate::load::{Mode, Wanted};
use crate::postgres::load::pair::TablePair;
use crate::postgres::load::references::members;
use crate::postgres::load::statements::{Failure, Session};
use crate::postgres::types::Oid;

/// Assumed row length in bytes if nothing is known about the rows.
const UNKNOWN_ROW: f64 = 200.0;

/// Facts about one table with all its partitions.
#[derive(sqlx_macros::FromRow)]
pub(super) struct Fact {
    table: Oid,
    pub(super) owner: String,
    pub(super) is_owned: bool,
    pub(super) hides_rows: bool,
    /// Schemas of the table and its partitions that this role cannot use.
    pub(super) closed_schemas: Vec<String>,
    /// Schemas of its indexes, including those of its partitions.
    pub(super) index_schemas: Vec<String>,
    /// Tablespaces of its indexes in which this role cannot create indexes.
    pub(super) closed_tablespaces: Vec<String>,
    /// A foreign table among its partitions.
    pub(super) foreign: Option<String>,
    /// Archive names of its partitions.
    pub(super) partitions: Vec<String>,
    /// A publication that would have to publish deletes but cannot, because a replica could not identify the rows.
    pub(super) publication: Option<String>,
    bytes: i64,
    /// The last ANALYZE's estimate; not positive if there was none.
    rows: f64,
}

/// Facts by table.
pub(super) struct Facts(HashMap<Oid, Fact>);

impl Facts {
    pub(super) async fn load(session: &mut Session<'_>, pairs: &[&TablePair]) -> Result<Self, Failure> {
        let oids: Vec<Oid> = pairs.iter().map(|pair| pair.oid).collect();
        let sql = format!(
            "WITH RECURSIVE members (oid, root) AS ({}),
             sent (root, publication) AS (
                 SELECT DISTINCT m.root, p.pubname FROM pg_publication_tables s
                 JOIN pg_publication p ON p.pubname = s.pubname AND p.pubdelete
                 JOIN pg_namespace n ON n.nspname = s.schemaname
                 JOIN pg_class c ON c.relname = s.tablename AND c.relnamespace = n.oid
                 JOIN members m ON m.oid = c.oid
             ),
             nameless (root) AS (
                 SELECT m.root FROM members m JOIN pg_class c ON c.oid = m.oid AND c.relkind = 'r'
                 WHERE CASE c.relreplident
                       WHEN 'f' THEN false WHEN 'n' THEN true
                       WHEN 'i' THEN NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)
                       ELSE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) END
             )
             SELECT c.oid::int8 AS table, pg_get_userbyid(c.relowner)::text AS owner,
                    pg_has_role(c.relowner, 'USAGE') AS is_owned, row_security_active(c.oid) AS hides_rows,
                    ARRAY(SELECT DISTINCT n.nspname::text FROM members m
                          JOIN pg_class f ON f.oid = m.oid JOIN pg_namespace n ON n.oid = f.relnamespace
                          WHERE m.root = c.oid AND NOT has_schema_privilege(n.oid, 'USAGE')
                          ORDER BY 1) AS closed_schemas,
                    ARRAY(SELECT DISTINCT n.nspname::text FROM members m
                          JOIN pg_index i ON i.indrelid = m.oid
                          JOIN pg_class f ON f.oid = m.oid JOIN pg_namespace n ON n.oid = f.relnamespace
                          WHERE m.root = c.oid) AS index_schemas,
                    ARRAY(SELECT DISTINCT s.spcname::text FROM members m
                          JOIN pg_index i ON i.indrelid = m.oid JOIN pg_class x ON x.oid = i.indexrelid
                          JOIN pg_tablespace s ON s.oid = x.reltablespace
                          WHERE m.root = c.oid AND NOT has_tablespace_privilege(s.oid, 'CREATE')
                          ORDER BY 1) AS closed_tablespaces,
                    (SELECT format('%I.%I', n.nspname, f.relname) FROM members m
                     JOIN pg_class f ON f.oid = m.oid AND f.relkind = 'f'
                     JOIN pg_namespace n ON n.oid = f.relnamespace
                     WHERE m.root = c.oid ORDER BY 1 LIMIT 1) AS foreign,
                    ARRAY(SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || f.relname
                          FROM members m JOIN pg_class f ON f.oid = m.oid
                          JOIN pg_namespace n ON n.oid = f.relnamespace
                          WHERE m.root = c.oid AND m.oid <> c.oid) AS partitions,
                    (SELECT min(s.publication::text) FROM sent s JOIN nameless i ON i.root = s.root
                     WHERE s.root = c.oid) AS publication,
                    (SELECT coalesce(sum(pg_table_size(m.oid)), 0)::int8 FROM members m WHERE m.root = c.oid) AS bytes,
                    (SELECT coalesce(sum(l.reltuples) FILTER (WHERE l.reltuples > 0), 0)::float8 FROM members m
                     JOIN pg_class l ON l.oid = m.oid AND l.relkind <> 'p' WHERE m.root = c.oid) AS rows
             FROM pg_class c WHERE c.oid = ANY ('{{{}}}'::int8[]::oid[])",
            members(&oids),
            oids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        );
        let rows: Vec<Fact> = session.rows("looking at the tables", sql).await?;
        Ok(Self(rows.into_iter().map(|fact| (fact.table, fact)).collect()))
    }

    pub(super) fn of(&self, pair: &TablePair) -> Option<&Fact> {
        self.0.get(&pair.oid)
    }

    /// Estimated size of the staged rows, and of live rows that may all be deleted, based on the length of live rows.
    pub(super) fn needed_bytes(&self, wanted: &Wanted, pairs: &[Option<TablePair>]) -> u64 {
        if wanted.mode == Mode::IntoEmpty {
            return 0;
        }
        let each = wanted.tables.iter().zip(pairs).map(|(table, pair)| {
            let fact = pair.as_ref().and_then(|pair| self.of(pair));
            let live = fact.map_or(0, |fact| fact.bytes.unsigned_abs());
            let row = match fact {
                Some(fact) if fact.rows > 0.0 => live as f64 / fact.rows,
                _ => UNKNOWN_ROW,
            };
            let staged = (table.rows as f64 * row) as u64;
            staged.saturating_add(if wanted.mode == Mode::Replace { live } else { 0 })
        });
        each.fold(0, u64::saturating_add)
    }
}
