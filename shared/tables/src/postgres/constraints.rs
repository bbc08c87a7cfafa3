//! Constraints of tables and partitions, including foreign keys.

use std::collections::HashMap;

use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{Constraint, ConstraintKind, ForeignKey, TableName};

use super::types::Oid;

/// Constraints of a table.
#[derive(Default)]
pub(super) struct Constraints {
    /// Columns of the primary key.
    pub(super) primary_key: Vec<String>,
    pub(super) own: Vec<Constraint>,
    pub(super) foreign_keys: Vec<ForeignKey>,
}

#[derive(sqlx_macros::FromRow)]
struct ConstraintRow {
    relation: Oid,
    name: String,
    kind: String,
    columns: Vec<String>,
    definition: String,
    nulls_not_distinct: bool,
    deferrable: bool,
    deferred: bool,
    other_namespace: Option<String>,
    other_table: Option<String>,
    other_columns: Vec<String>,
    on_update: String,
    on_delete: String,
    match_type: String,
}

/// Constraints by table, without those that a partition inherits from its parent: a copied key has `conparentid` set,
/// and an inherited check is not local to the partition (`conislocal`).
pub(super) async fn list(
    connection: &mut PgConnection,
    relations: &[Oid],
) -> sqlx::Result<HashMap<Oid, Constraints>> {
    let not_distinct = match connection.server_version_num() {
        Some(version) if version >= 150_000 => "i.indnullsnotdistinct",
        _ => "false",
    };
    let sql = format!(
        "SELECT k.conrelid::int8 AS relation, k.conname::text AS name, k.contype::text AS kind,
                ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (number, place)
                      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number
                      ORDER BY u.place) AS columns,
                pg_get_constraintdef(k.oid) AS definition,
                k.contype = 'u' AND coalesce({not_distinct}, false) AS nulls_not_distinct,
                k.condeferrable AS deferrable, k.condeferred AS deferred,
                n.nspname::text AS other_namespace, r.relname::text AS other_table,
                ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (number, place)
                      JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number
                      ORDER BY u.place) AS other_columns,
                k.confupdtype::text AS on_update, k.confdeltype::text AS on_delete,
                k.confmatchtype::text AS match_type
         FROM pg_constraint k
         JOIN pg_class c ON c.oid = k.conrelid
         LEFT JOIN pg_index i ON i.indexrelid = k.conindid AND i.indrelid = k.conrelid
         LEFT JOIN pg_class r ON r.oid = k.confrelid
         LEFT JOIN pg_namespace n ON n.oid = r.relnamespace
         WHERE k.conrelid = ANY ($1::int8[]::oid[]) AND k.contype IN ('p', 'u', 'c', 'x', 'f')
           AND k.conparentid = 0 AND (k.conislocal OR NOT c.relispartition)
         ORDER BY k.conrelid, k.conname"
    );
    let rows: Vec<ConstraintRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(relations)
        .persistent(false)
        .fetch_all(connection)
        .await?;
    let mut by_relation: HashMap<Oid, Constraints> = HashMap::new();
    for row in rows {
        by_relation.entry(row.relation).or_default().add(row);
    }
    Ok(by_relation)
}

impl Constraints {
    fn add(&mut self, mut row: ConstraintRow) {
        if let Some(references) = row.references() {
            return self.foreign_keys.push(row.foreign_key(references));
        }
        let kind = match row.kind.as_str() {
            "p" => ConstraintKind::PrimaryKey,
            "u" => ConstraintKind::Unique,
            "x" => ConstraintKind::Exclusion,
            _ => ConstraintKind::Check,
        };
        if kind == ConstraintKind::PrimaryKey {
            self.primary_key.clone_from(&row.columns);
        }
        self.own.push(Constraint {
            name: row.name,
            kind,
            columns: row.columns,
            nulls_not_distinct: row.nulls_not_distinct,
            definition: row.definition,
        });
    }
}

impl ConstraintRow {
    fn references(&mut self) -> Option<TableName> {
        Some(TableName { namespace: self.other_namespace.take()?, table: self.other_table.take()? })
    }

    fn foreign_key(self, references: TableName) -> ForeignKey {
        ForeignKey {
            name: self.name,
            columns: self.columns,
            references,
            referenced_columns: self.other_columns,
            on_delete: action(&self.on_delete).to_owned(),
            on_update: action(&self.on_update).to_owned(),
            match_type: match_type(&self.match_type).to_owned(),
            deferrable: self.deferrable,
            initially_deferred: self.deferred,
            definition: self.definition,
        }
    }
}

fn action(code: &str) -> &'static str {
    match code {
        "c" => "cascade",
        "n" => "set null",
        "d" => "set default",
        "r" => "restrict",
        _ => "no action",
    }
}

fn match_type(code: &str) -> &'static str {
    match code {
        "f" => "full",
        "p" => "partial",
        _ => "simple",
    }
}
