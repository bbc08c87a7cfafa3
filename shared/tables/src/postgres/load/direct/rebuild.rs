//! Indexes and foreign keys that are dropped before loading the rows and recreated afterwards.
//!
//! Those of a partitioned table are recreated as in pg_dump: on the table alone, on each partition under its own name, and
//! then attached, so that every name is kept.

use std::collections::{HashMap, HashSet};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::super::pair::TablePair;
use super::super::problem;
use super::super::references::members;
use super::super::statements::{Failure, Session};
use super::relations;
use crate::error::{Error, Result};
use crate::fault::sqlstate;
use crate::postgres::codes;
use crate::postgres::session::attempt;
use crate::postgres::types::Oid;

/// The dropped objects in the order in which they are recreated: indexes, then foreign keys.
pub(super) struct Rebuild {
    parts: Vec<Part>,
}

/// One index or foreign key, or a partitioned table's tree of them.
#[derive(Default)]
struct Part {
    /// The root table.
    table: Oid,
    drop: String,
    create: Vec<String>,
    /// Statements that run after all of it exists.
    finish: Vec<String>,
    is_foreign_key: bool,
}

#[derive(sqlx_macros::FromRow)]
struct IndexRow {
    oid: Oid,
    /// The partitioned index to which it is attached.
    parent: Option<Oid>,
    root: Oid,
    kept: bool,
    drop: String,
    create: String,
    tablespace: Option<String>,
    attach: Option<String>,
    comments: Vec<String>,
}

/// The primary key's index is included: unordered keys, such as random ids, cost more row by row than all other indexes. An
/// index is kept if it has properties that its definition does not show: replica identity, CLUSTER, statistics, an extension.
/// (An index needed by a view or by a foreign key from an outside table cannot be dropped, and is kept too.)
const INDEXES: &str = "SELECT i.indexrelid::int8 AS oid, h.inhparent::int8 AS parent, m.root::int8 AS root,
    i.indisreplident OR i.indisclustered OR NOT i.indisvalid
    OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)
    OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
               AND d.deptype IN ('x', 'e')) AS kept,
    CASE WHEN k.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)
         ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', i.indrelid::regclass, k.conname) END AS drop,
    CASE WHEN k.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
         ELSE format('ALTER TABLE ONLY %s ADD CONSTRAINT %I %s', i.indrelid::regclass, k.conname,
                     pg_get_constraintdef(k.oid)) END AS create,
    (SELECT quote_ident(s.spcname) FROM pg_tablespace s WHERE s.oid = x.reltablespace) AS tablespace,
    format('ALTER INDEX %s ATTACH PARTITION %s', h.inhparent::regclass, i.indexrelid::regclass) AS attach,
    array_remove(ARRAY[
        CASE WHEN obj_description(i.indexrelid, 'pg_class') IS NOT NULL
             THEN format('COMMENT ON INDEX %s IS %L', i.indexrelid::regclass,
                         obj_description(i.indexrelid, 'pg_class')) END,
        CASE WHEN obj_description(k.oid, 'pg_constraint') IS NOT NULL
             THEN format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, i.indrelid::regclass,
                         obj_description(k.oid, 'pg_constraint')) END], NULL) AS comments
    FROM members m JOIN pg_index i ON i.indrelid = m.oid JOIN pg_class x ON x.oid = i.indexrelid
    LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
    ORDER BY x.relkind = 'i', i.indexrelid";

/// A foreign key or a check.
#[derive(sqlx_macros::FromRow)]
struct ForeignKeyRow {
    root: Oid,
    drop: String,
    create: String,
    comment: Option<String>,
    /// For a check: partitions whose rows are known to satisfy it, because they were created after it.
    validate: Vec<String>,
}

/// Includes NOT VALID checks, which the archive's old rows may violate.
const FOREIGN_KEYS: &str = "SELECT m.root::int8 AS root,
    format('ALTER TABLE %s%s DROP CONSTRAINT %I', o.only, k.conrelid::regclass, k.conname) AS drop,
    format('ALTER TABLE %s%s ADD CONSTRAINT %I %s', o.only, k.conrelid::regclass, k.conname,
           pg_get_constraintdef(k.oid)) AS create,
    CASE WHEN obj_description(k.oid, 'pg_constraint') IS NOT NULL
         THEN format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, k.conrelid::regclass,
                     obj_description(k.oid, 'pg_constraint')) END AS comment,
    ARRAY(SELECT format('ALTER TABLE %s VALIDATE CONSTRAINT %I', p.conrelid::regclass, p.conname)
          FROM pg_partition_tree(k.conrelid) t JOIN pg_constraint p ON p.conrelid = t.relid AND p.conname = k.conname
          WHERE t.level > 0 AND k.contype = 'c' AND p.contype = 'c' AND p.convalidated
          ORDER BY t.level, t.relid) AS validate
    FROM members m JOIN pg_constraint k ON k.conrelid = m.oid JOIN pg_class c ON c.oid = k.conrelid,
    LATERAL (SELECT CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END AS only) AS o
    WHERE (k.contype = 'f' AND k.conparentid = 0 AND k.confrelid IN (SELECT o.oid FROM members o))
       OR (k.contype = 'c' AND NOT k.convalidated AND k.conislocal AND k.coninhcount = 0
           AND (c.relkind = 'p' OR k.connoinherit
                OR NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid)))
    ORDER BY k.oid";

impl Rebuild {
    /// Drops the objects that will be recreated.
    pub(super) async fn prepare(
        connection: &mut PgConnection,
        source: &str,
        tables: &[TablePair],
    ) -> Result<Self> {
        let failed = |error| Error::database(source, "preparing the tables for rows", &error);
        let oids = relations(tables);
        let mut parts = foreign_keys(connection, &oids).await.map_err(failed)?;
        parts.extend(indexes(connection, &oids).await.map_err(failed)?);
        let mut dropped = Vec::with_capacity(parts.len());
        for part in parts {
            if part.drop(connection).await.map_err(failed)? {
                dropped.push(part);
            }
        }
        dropped.sort_by_key(|part| part.is_foreign_key);
        Ok(Self { parts: dropped })
    }

    /// Recreates everything, which also checks it.
    ///
    /// # Errors
    /// [`Error::Constraint`] for a constraint that the rows violate, or a server error.
    pub(super) async fn run(&self, session: &mut Session<'_>, tables: &[TablePair]) -> Result<(), Failure> {
        const WHAT: &str = "building indexes and keys";
        for part in &self.parts {
            let pair = tables.iter().find(|pair| pair.oid == part.table);
            let done = session.run_each(WHAT, [&part.create[..], &part.finish[..]].concat()).await;
            done.map_err(|failure| problem::meant(session.source, pair, failure))?;
        }
        session.run(WHAT, "SET LOCAL default_tablespace TO DEFAULT".to_owned()).await.map(drop)
    }
}

impl Part {
    /// False if a dependent object would be dropped with it.
    async fn drop(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        let sql = self.drop.clone();
        let dropped = attempt(connection, async |connection| {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
        });
        match dropped.await? {
            Ok(()) => Ok(true),
            Err(error) if sqlstate(&error) == Some(codes::DEPENDENT_OBJECTS_STILL_EXIST) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The query `select` over the tables and their partitions.
fn of_members(tables: &[Oid], select: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("WITH RECURSIVE members (oid, root) AS ({}) {select}", members(tables)))
}

async fn foreign_keys(connection: &mut PgConnection, tables: &[Oid]) -> sqlx::Result<Vec<Part>> {
    let rows: Vec<ForeignKeyRow> =
        sqlx::query_as(of_members(tables, FOREIGN_KEYS)).persistent(false).fetch_all(connection).await?;
    let part = |row: ForeignKeyRow| Part {
        table: row.root,
        drop: row.drop,
        create: vec![row.create],
        finish: row.comment.into_iter().chain(row.validate).collect(),
        is_foreign_key: true,
    };
    Ok(rows.into_iter().map(part).collect())
}

async fn indexes(connection: &mut PgConnection, tables: &[Oid]) -> sqlx::Result<Vec<Part>> {
    let rows: Vec<IndexRow> =
        sqlx::query_as(of_members(tables, INDEXES)).persistent(false).fetch_all(connection).await?;
    Ok(trees(rows))
}

/// One part for each index that is not attached to another, with all indexes attached to it. If one of them is kept, all are.
fn trees(rows: Vec<IndexRow>) -> Vec<Part> {
    let parents: HashMap<Oid, Oid> = rows.iter().filter_map(|row| Some((row.oid, row.parent?))).collect();
    let top = |mut oid: Oid| {
        while let Some(parent) = parents.get(&oid) {
            oid = *parent;
        }
        oid
    };
    let kept: HashSet<Oid> = rows.iter().filter(|row| row.kept).map(|row| top(row.oid)).collect();
    let mut parts: Vec<(Oid, Part)> = Vec::new();
    let mut places: HashMap<Oid, usize> = HashMap::new();
    for row in rows {
        let root = top(row.oid);
        if kept.contains(&root) {
            continue;
        }
        let place = *places.entry(root).or_insert(parts.len());
        if place == parts.len() {
            parts.push((root, Part { table: row.root, ..Part::default() }));
        }
        if let Some((_, part)) = parts.get_mut(place) {
            part.add(row);
        }
    }
    parts.into_iter().map(|(_, part)| part).collect()
}

impl Part {
    fn add(&mut self, row: IndexRow) {
        if row.parent.is_none() {
            self.drop = row.drop;
        }
        let tablespace = row.tablespace.unwrap_or_else(|| "''".to_owned());
        self.create.push(format!("SET LOCAL default_tablespace = {tablespace}"));
        self.create.push(row.create);
        if row.parent.is_some() {
            self.finish.extend(row.attach);
        }
        self.finish.extend(row.comments);
    }
}
