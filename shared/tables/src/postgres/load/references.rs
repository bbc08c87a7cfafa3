//! Foreign keys of the restored tables and foreign keys that reference them, from the catalogue.

use std::collections::HashSet;

use super::statements::{Failure, Session, literal};
use crate::names::quoted;
use crate::postgres::naming::{archive_name, qualified};
use crate::postgres::types::Oid;

/// A foreign key as it was declared. The copies that PostgreSQL makes of it for partitions are created and dropped with
/// it.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) name: String,
    /// The referencing table.
    pub(super) from: End,
    /// The referenced table.
    pub(super) to: End,
    pub(super) columns: Vec<String>,
    pub(super) referenced: Vec<String>,
    /// The operators, with the referenced column on the left and the referencing column on the right.
    operators: Vec<String>,
    /// `pg_constraint.confdeltype`.
    pub(super) on_delete: String,
    /// The columns that ON DELETE SET … sets.
    pub(super) sets: Vec<String>,
    is_full: bool,
    /// Whether all rows are known to satisfy it.
    pub(super) is_valid: bool,
    pub(super) definition: String,
    pub(super) comment: Option<String>,
    /// Has a PERIOD, which needs a different comparison (version 18).
    pub(super) is_temporal: bool,
}

/// A table at an end of a foreign key.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) oid: Oid,
    pub(super) namespace: String,
    pub(super) table: String,
    pub(super) is_partitioned: bool,
    /// The restored table that contains its rows: itself, or the table that it is a partition of. None for an outside table.
    pub(super) root: Option<Oid>,
}

impl End {
    pub(super) fn is_outside(&self) -> bool {
        self.root.is_none()
    }

    /// The quoted name with its schema.
    pub(super) fn qualified(&self) -> String {
        qualified(&self.namespace, &self.table)
    }

    /// Its rows, as written in FROM.
    pub(super) fn rows(&self) -> String {
        rows(&self.namespace, &self.table, self.is_partitioned)
    }

    /// Its archive name.
    pub(super) fn name(&self) -> String {
        archive_name(&self.namespace, &self.table)
    }
}

#[derive(sqlx_macros::FromRow)]
struct Row {
    name: String,
    from: Oid,
    from_namespace: String,
    from_table: String,
    from_is_partitioned: bool,
    from_root: Option<Oid>,
    to: Oid,
    to_namespace: String,
    to_table: String,
    to_is_partitioned: bool,
    to_root: Option<Oid>,
    columns: Vec<String>,
    referenced: Vec<String>,
    operators: Vec<String>,
    on_delete: String,
    sets: Vec<String>,
    is_full: bool,
    is_valid: bool,
    definition: String,
    comment: Option<String>,
    is_temporal: bool,
}

impl Row {
    fn reference(self) -> Reference {
        let from = End {
            oid: self.from,
            namespace: self.from_namespace,
            table: self.from_table,
            is_partitioned: self.from_is_partitioned,
            root: self.from_root,
        };
        let to = End {
            oid: self.to,
            namespace: self.to_namespace,
            table: self.to_table,
            is_partitioned: self.to_is_partitioned,
            root: self.to_root,
        };
        Reference {
            name: self.name,
            from,
            to,
            columns: self.columns,
            referenced: self.referenced,
            operators: self.operators,
            on_delete: self.on_delete,
            sets: self.sets,
            is_full: self.is_full,
            is_valid: self.is_valid,
            definition: self.definition,
            comment: self.comment,
            is_temporal: self.is_temporal,
        }
    }
}

/// All foreign keys of `tables`, and all that reference them.
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
    let rows: Vec<Row> = session.rows("reading the foreign keys", sql).await?;
    Ok(rows.into_iter().map(Row::reference).collect())
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

/// Foreign keys of the tables `set`, and those that reference them. With `acting`, also the foreign keys of outside
/// tables whose rows such a key would delete or change, those that reference these tables, and so on.
pub(super) async fn of_set(
    session: &mut Session<'_>,
    set: &[Oid],
    acting: bool,
) -> Result<Vec<Reference>, Failure> {
    let mut found = list(session, set).await?;
    if !acting {
        return Ok(found);
    }
    let mut known: HashSet<Oid> = set.iter().copied().collect();
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
            // `list` took the outside tables for restored ones. A key that is new here has both ends outside.
            if !found.iter().any(|one| (one.from.oid, &one.name) == (more.from.oid, &more.name)) {
                let Reference { from, to, .. } = more;
                let (from, to) = (End { root: None, ..from }, End { root: None, ..to });
                found.push(Reference { from, to, ..more });
            }
        }
    }
}

/// Outside tables that foreign keys would change.
pub(super) fn acting_tables(references: &[Reference]) -> impl Iterator<Item = Oid> {
    references.iter().filter(|one| one.from.is_outside() && one.acts()).map(|one| one.from.oid)
}

impl Reference {
    /// Whether it acts on the referencing rows when a row is deleted, instead of blocking the deletion.
    pub(super) fn acts(&self) -> bool {
        matches!(self.on_delete.as_str(), "c" | "n" | "d")
    }

    /// Whether both ends are outside.
    pub(super) fn is_outside(&self) -> bool {
        self.from.is_outside() && self.to.is_outside()
    }

    /// Whether it would act on rows of an outside table.
    pub(super) fn follows(&self) -> bool {
        self.from.is_outside() && self.acts()
    }

    /// A condition that a row of `f` references no row of `to`.
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
        format!("ALTER TABLE {} DROP CONSTRAINT {}", self.from.qualified(), quoted(&self.name))
    }

    /// Recreates it as it was, with its comment.
    pub(super) fn add_statement(&self) -> String {
        let (table, name) = (self.from.qualified(), quoted(&self.name));
        let mut sql = format!("ALTER TABLE {table} ADD CONSTRAINT {name} {};\n", self.definition);
        if let Some(comment) = &self.comment {
            sql.push_str(&format!("COMMENT ON CONSTRAINT {name} ON {table} IS {};\n", literal(comment)));
        }
        sql
    }
}

/// For a table that others inherit from, only its own rows.
pub(super) fn rows(namespace: &str, table: &str, is_partitioned: bool) -> String {
    let table = qualified(namespace, table);
    if is_partitioned { table } else { format!("ONLY {table}") }
}
