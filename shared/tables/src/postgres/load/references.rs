//! The foreign keys of the restored tables and into them, from the catalogue.

use std::collections::HashSet;

use super::pair::TablePair;
use super::statements::{Failure, Session, literal};
use crate::names::quoted;
use crate::postgres::naming::{archive_name, qualified};
use crate::postgres::types::Oid;

/// A foreign key at its root: the copies that partitions have come and go with it.
#[derive(Debug, Clone, sqlx_macros::FromRow)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) from: Oid,
    from_namespace: String,
    from_table: String,
    from_is_partitioned: bool,
    /// The restored table that it is of: itself, or the one that it is a partition of.
    from_root: Option<Oid>,
    pub(super) to: Oid,
    to_namespace: String,
    to_table: String,
    to_is_partitioned: bool,
    to_root: Option<Oid>,
    pub(super) columns: Vec<String>,
    pub(super) referenced: Vec<String>,
    /// Between a referenced column on the left and a referencing one on the right.
    operators: Vec<String>,
    /// `pg_constraint.confdeltype`.
    pub(super) on_delete: String,
    /// The columns that ON DELETE SET … sets.
    pub(super) sets: Vec<String>,
    is_full: bool,
    /// Whether rows are sure to satisfy it.
    pub(super) is_valid: bool,
    pub(super) definition: String,
    pub(super) comment: Option<String>,
    /// A period of time is compared in another way (version 18).
    pub(super) is_temporal: bool,
}

/// All foreign keys of `tables` and into them.
pub(super) async fn list(session: &mut Session<'_>, tables: &[Oid]) -> Result<Vec<Reference>, Failure> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let version = session.connection.server_version_num().unwrap_or(0);
    let sets = if version >= 150_000 { "k.confdelsetcols" } else { "NULL::int2[]" };
    let (enforced, temporal) =
        if version >= 180_000 { ("k.conenforced", "k.conperiod") } else { ("true", "false") };
    let names = |relation: &str, numbers: &str| {
        format!(
            "ARRAY(SELECT a.attname::text FROM unnest({numbers}) WITH ORDINALITY AS u (number, place)
                   JOIN pg_attribute a ON a.attrelid = {relation} AND a.attnum = u.number ORDER BY u.place)"
        )
    };
    let sql = format!(
        "WITH RECURSIVE members (oid, root) AS ({})
         SELECT k.conname::text AS name, k.conrelid::int8 AS from, fn.nspname::text AS from_namespace,
                f.relname::text AS from_table, f.relkind = 'p' AS from_is_partitioned, fm.root::int8 AS from_root,
                k.confrelid::int8 AS to, tn.nspname::text AS to_namespace, t.relname::text AS to_table,
                t.relkind = 'p' AS to_is_partitioned, tm.root::int8 AS to_root,
                {} AS columns, {} AS referenced,
                ARRAY(SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname)
                      FROM unnest(k.conpfeqop) WITH ORDINALITY AS u (oid, place)
                      JOIN pg_operator o ON o.oid = u.oid JOIN pg_namespace n ON n.oid = o.oprnamespace
                      ORDER BY u.place) AS operators,
                k.confdeltype::text AS on_delete, {} AS sets, k.confmatchtype = 'f' AS is_full,
                k.convalidated AND {enforced} AS is_valid, pg_get_constraintdef(k.oid) AS definition,
                obj_description(k.oid, 'pg_constraint') AS comment, {temporal} AS is_temporal
         FROM pg_constraint k
         JOIN pg_class f ON f.oid = k.conrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
         JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
         LEFT JOIN members fm ON fm.oid = k.conrelid LEFT JOIN members tm ON tm.oid = k.confrelid
         WHERE k.contype = 'f' AND k.conparentid = 0 AND (fm.oid IS NOT NULL OR tm.oid IS NOT NULL)
         ORDER BY fn.nspname, f.relname, k.conname",
        members(tables),
        names("k.conrelid", "k.conkey"),
        names("k.confrelid", "k.confkey"),
        names("k.conrelid", &format!("coalesce({sets}, k.conkey)")),
    );
    session.rows("reading the foreign keys", sql).await
}

/// A recursive query for `tables` and their partitions at all levels, as `oid, root`.
pub(super) fn members(tables: &[Oid]) -> String {
    let tables: Vec<String> = tables.iter().map(ToString::to_string).collect();
    format!(
        "SELECT o::oid, o::oid FROM unnest('{{{}}}'::int8[]) AS o
         UNION ALL
         SELECT i.inhrelid, m.root FROM members m JOIN pg_inherits i ON i.inhparent = m.oid
         JOIN pg_class p ON p.oid = i.inhrelid AND p.relispartition",
        tables.join(",")
    )
}

/// Those of `pairs` and into them; with `acting`, also those into tables outside whose rows they would remove or change.
pub(super) async fn of_set(
    session: &mut Session<'_>,
    pairs: &[TablePair],
    acting: bool,
) -> Result<Vec<Reference>, Failure> {
    let set: Vec<Oid> = pairs.iter().map(|pair| pair.oid).collect();
    let mut found = list(session, &set).await?;
    if !acting {
        return Ok(found);
    }
    let mut known: HashSet<Oid> = set.into_iter().collect();
    loop {
        let outside: Vec<Oid> = acting_tables(&found)
            .filter(|from| !known.contains(from))
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        if outside.is_empty() {
            return Ok(found);
        }
        known.extend(&outside);
        for more in list(session, &outside).await? {
            // Seen from there, both ends may be outside of the set.
            if !found.iter().any(|one| (one.from, &one.name) == (more.from, &more.name)) {
                found.push(Reference { from_root: None, to_root: None, ..more });
            }
        }
    }
}

/// Tables outside of the set that foreign keys would change.
pub(super) fn acting_tables(references: &[Reference]) -> impl Iterator<Item = Oid> {
    references.iter().filter(|one| one.is_from_outside() && one.acts()).map(|one| one.from)
}

impl Reference {
    /// Whether it follows a row that goes, instead of holding it.
    pub(super) fn acts(&self) -> bool {
        matches!(self.on_delete.as_str(), "c" | "n" | "d")
    }

    pub(super) fn is_from_outside(&self) -> bool {
        self.from_root.is_none()
    }

    /// The restored tables that have the rows at its ends, also where those are of one partition.
    pub(super) fn from_root(&self) -> Option<Oid> {
        self.from_root
    }

    pub(super) fn to_root(&self) -> Option<Oid> {
        self.to_root
    }

    /// Whether it references a restored table, or a partition of one.
    pub(super) fn is_to_member(&self) -> bool {
        self.to_root.is_some()
    }

    pub(super) fn to_qualified(&self) -> String {
        qualified(&self.to_namespace, &self.to_table)
    }

    pub(super) fn from_qualified(&self) -> String {
        qualified(&self.from_namespace, &self.from_table)
    }

    /// The referencing rows as FROM names them.
    pub(super) fn from_rows(&self) -> String {
        rows(&self.from_namespace, &self.from_table, self.from_is_partitioned)
    }

    pub(super) fn to_rows(&self) -> String {
        rows(&self.to_namespace, &self.to_table, self.to_is_partitioned)
    }

    pub(super) fn from_name(&self) -> String {
        archive_name(&self.from_namespace, &self.from_table)
    }

    pub(super) fn to_name(&self) -> String {
        archive_name(&self.to_namespace, &self.to_table)
    }

    pub(super) fn from_place(&self) -> (&str, &str, bool) {
        (&self.from_namespace, &self.from_table, self.from_is_partitioned)
    }

    /// True for a row of `f` that references no row of `to`.
    pub(super) fn dangles(&self, to: &str) -> String {
        let both = self.columns.iter().zip(&self.referenced).zip(&self.operators);
        let equal: Vec<String> = both
            .map(|((from, to), operator)| format!("t.{} {operator} f.{}", quoted(to), quoted(from)))
            .collect();
        let missing = format!("NOT EXISTS (SELECT FROM {to} AS t WHERE {})", equal.join(" AND "));
        let is = |test: &str, join: &str| {
            let each: Vec<String> =
                self.columns.iter().map(|column| format!("f.{} IS {test}", quoted(column))).collect();
            each.join(join)
        };
        let whole = is("NOT NULL", " AND ");
        if self.is_full && self.columns.len() > 1 {
            let some_null = is("NULL", " OR ");
            let none_given = is("NULL", " AND ");
            return format!("(({whole} AND {missing}) OR (({some_null}) AND NOT ({none_given})))");
        }
        format!("({whole} AND {missing})")
    }

    pub(super) fn drop_statement(&self) -> String {
        format!("ALTER TABLE {} DROP CONSTRAINT {};\n", self.from_qualified(), quoted(&self.name))
    }

    /// Puts it back as it was, with its comment.
    pub(super) fn add_statement(&self) -> String {
        let (table, name) = (self.from_qualified(), quoted(&self.name));
        let mut sql = format!("ALTER TABLE {table} ADD CONSTRAINT {name} {};\n", self.definition);
        if let Some(comment) = &self.comment {
            sql.push_str(&format!("COMMENT ON CONSTRAINT {name} ON {table} IS {};\n", literal(comment)));
        }
        sql
    }
}

/// A table that others inherit from has its own rows only.
pub(super) fn rows(namespace: &str, table: &str, is_partitioned: bool) -> String {
    let table = qualified(namespace, table);
    if is_partitioned { table } else { format!("ONLY {table}") }
}
