//! What the tables look like, from the catalogues. The statements work from version 12 on.
//!
//! `search_path` is `pg_catalog` alone, so the server prints every name that is not its own with its schema.

use std::collections::HashMap;

use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{Column, Engine, ForeignKey, TableSchema};

use super::binary::is_printed_by_server;
use super::layout::Layout;
use super::naming::archive_name;
use super::relations::Relation;
use super::types::{Oid, Types};
use crate::error::{Error, Result};
use crate::names::quoted;
use crate::options::SnapshotOptions;

pub(super) struct Found {
    pub(super) tables: Vec<TableSchema>,
    pub(super) layouts: Vec<Layout>,
}

/// Reads columns, keys and types of `relations`. The order is kept.
pub(super) async fn tables(
    connection: &mut PgConnection,
    options: &SnapshotOptions,
    relations: &[Relation],
) -> Result<Found> {
    let failed = |error| Error::database(&options.source, "reading the table definitions", &error);
    let oids: Vec<Oid> = relations.iter().map(|relation| relation.oid).collect();
    let mut columns = columns(connection, &oids).await.map_err(failed)?;
    let mut keys = keys(connection, &oids).await.map_err(failed)?;
    let types = Types::load(connection).await.map_err(failed)?;
    let printers = printers(connection, columns.values().flatten().map(|(_, oid)| types.base_of(*oid)));
    let printers = printers.await.map_err(failed)?;
    let mut found = Found { tables: Vec::new(), layouts: Vec::new() };
    for relation in relations {
        let mut columns = columns.remove(&relation.oid).unwrap_or_default();
        columns.retain(|(column, _)| !options.hides(&relation.name, &column.name));
        let mut keys = keys.remove(&relation.oid).unwrap_or_default();
        keys.unique.retain(|unique| !unique.iter().any(|column| options.hides(&relation.name, column)));
        let used: Vec<Oid> = columns.iter().map(|(_, oid)| *oid).collect();
        let base_types: Vec<Oid> = used.iter().map(|oid| types.base_of(*oid)).collect();
        let expressions = columns.iter().zip(&base_types).map(|((column, _), base_type)| {
            let name = format!("t.{}", quoted(&column.name));
            printers.get(base_type).map_or(name.clone(), |printer| printer.print(&name))
        });
        let expressions = expressions.collect();
        let names: Vec<String> = columns.iter().map(|(column, _)| quoted(&column.name)).collect();
        found.layouts.push(Layout { from: relation.from(&names), guard: None, base_types, expressions });
        found.tables.push(TableSchema {
            name: relation.name.clone(),
            source: options.source.clone(),
            engine: Engine::Postgres,
            namespace: relation.namespace.clone(),
            table: relation.table.clone(),
            columns: columns.into_iter().map(|(column, _)| column).collect(),
            primary_key: keys.primary,
            unique: keys.unique,
            foreign_keys: keys.foreign,
            types: types.used_by(&used),
            sql: None,
            partition_key: relation.partition_key.clone(),
        });
    }
    options.check_only(&found.tables)?;
    Ok(found)
}

#[derive(sqlx_macros::FromRow)]
struct ColumnRow {
    relation: Oid,
    name: String,
    type_oid: Oid,
    type_name: String,
    not_null: bool,
    identity: String,
    generated: String,
    expression: Option<String>,
}

async fn columns(
    connection: &mut PgConnection,
    relations: &[Oid],
) -> sqlx::Result<HashMap<Oid, Vec<(Column, Oid)>>> {
    let rows: Vec<ColumnRow> = sqlx::query_as(
        "SELECT a.attrelid::int8 AS relation, a.attname::text AS name, a.atttypid::int8 AS type_oid,
                format_type(a.atttypid, a.atttypmod) AS type_name, a.attnotnull AS not_null,
                a.attidentity::text AS identity, a.attgenerated::text AS generated,
                pg_get_expr(d.adbin, d.adrelid) AS expression
         FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = ANY ($1::int8[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
         ORDER BY a.attrelid, a.attnum",
    )
    .bind(relations)
    .persistent(false)
    .fetch_all(connection)
    .await?;
    let mut columns: HashMap<Oid, Vec<(Column, Oid)>> = HashMap::new();
    for row in rows {
        let (default, generated) =
            if row.generated.is_empty() { (row.expression, None) } else { (None, row.expression) };
        let identity = match row.identity.as_str() {
            "a" => Some("always".to_owned()),
            "d" => Some("by default".to_owned()),
            _ => None,
        };
        let column = Column {
            name: row.name,
            type_name: row.type_name,
            nullable: !row.not_null,
            default,
            generated,
            identity,
        };
        columns.entry(row.relation).or_default().push((column, row.type_oid));
    }
    Ok(columns)
}

/// How the server prints values of a type, in the form that COPY gives them.
#[derive(sqlx_macros::FromRow)]
struct Printer {
    oid: Oid,
    type_name: String,
    /// The output function, where this user may call it by name with a value of this type.
    function: Option<String>,
    /// Whether somebody defined a cast to text, which may give another text.
    has_cast: bool,
}

impl Printer {
    /// COPY calls output functions itself and needs no right for that, while a name in a statement needs EXECUTE on the
    /// function and USAGE on the type's schema. So only the server's own are named, which is fastest. For all others the
    /// server calls the function itself too: a conversion to text without a cast of that name is its output function,
    /// and so is `%s`.
    ///
    /// The cast in the first form takes a domain off, which a polymorphic function (`array_out`) would not. All these
    /// functions answer NULL with NULL. `num_nulls` counts a row of NULLs as a value, as COPY does.
    fn print(&self, value: &str) -> String {
        match (&self.function, self.has_cast) {
            (Some(function), _) => format!("{function}({value}::{})", self.type_name),
            (None, false) => format!("{value}::text"),
            (None, true) => format!("CASE WHEN num_nulls({value}) = 0 THEN format('%s', {value}) END"),
        }
    }
}

/// For those of `base_types` that do not arrive as the server keeps them. A type modifier of -1 makes `bit` read
/// `"bit"`, which has any length. `refcursor` is printed by a function of another type.
async fn printers(
    connection: &mut PgConnection,
    base_types: impl Iterator<Item = Oid>,
) -> sqlx::Result<HashMap<Oid, Printer>> {
    let oids: Vec<Oid> = base_types.filter(|base_type| is_printed_by_server(*base_type)).collect();
    let rows: Vec<Printer> = sqlx::query_as(
        "SELECT t.oid::int8 AS oid, format_type(t.oid, -1) AS type_name,
                CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace AND f.pronamespace = t.typnamespace
                       AND (a.oid = t.oid OR a.typtype = 'p') AND has_function_privilege(f.oid, 'EXECUTE')
                     THEN t.typoutput::regproc::text END AS function,
                EXISTS (SELECT FROM pg_cast c WHERE c.castsource = t.oid AND c.casttarget = 'text'::regtype
                        AND c.castmethod <> 'i') AS has_cast
         FROM pg_type t JOIN pg_proc f ON f.oid = t.typoutput JOIN pg_type a ON a.oid = f.proargtypes[0]
         WHERE t.oid = ANY ($1::int8[]::oid[])",
    )
    .bind(oids)
    .persistent(false)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|printer| (printer.oid, printer)).collect())
}

#[derive(Default)]
struct Keys {
    primary: Vec<String>,
    unique: Vec<Vec<String>>,
    foreign: Vec<ForeignKey>,
}

#[derive(sqlx_macros::FromRow)]
struct KeyRow {
    relation: Oid,
    kind: String,
    columns: Vec<String>,
    other_namespace: Option<String>,
    other_table: Option<String>,
    other_columns: Vec<String>,
    on_delete: String,
}

/// `conparentid` is set on the copies that partitions make of a constraint.
async fn keys(connection: &mut PgConnection, relations: &[Oid]) -> sqlx::Result<HashMap<Oid, Keys>> {
    let rows: Vec<KeyRow> = sqlx::query_as(
        "SELECT k.conrelid::int8 AS relation, k.contype::text AS kind,
                ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (number, place)
                      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number
                      ORDER BY u.place) AS columns,
                n.nspname::text AS other_namespace, r.relname::text AS other_table,
                ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (number, place)
                      JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number
                      ORDER BY u.place) AS other_columns,
                k.confdeltype::text AS on_delete
         FROM pg_constraint k
         LEFT JOIN pg_class r ON r.oid = k.confrelid
         LEFT JOIN pg_namespace n ON n.oid = r.relnamespace
         WHERE k.conrelid = ANY ($1::int8[]::oid[]) AND k.contype IN ('p', 'u', 'f') AND k.conparentid = 0
         ORDER BY k.conrelid, k.conname",
    )
    .bind(relations)
    .persistent(false)
    .fetch_all(connection)
    .await?;
    let mut keys: HashMap<Oid, Keys> = HashMap::new();
    for row in rows {
        let keys = keys.entry(row.relation).or_default();
        match (row.kind.as_str(), row.other_namespace, row.other_table) {
            ("p", ..) => keys.primary = row.columns,
            ("u", ..) => keys.unique.push(row.columns),
            (_, Some(namespace), Some(table)) => keys.foreign.push(ForeignKey {
                columns: row.columns,
                references: archive_name(&namespace, &table),
                referenced_columns: row.other_columns,
                on_delete: on_delete(&row.on_delete).to_owned(),
            }),
            _ => {}
        }
    }
    Ok(keys)
}

fn on_delete(code: &str) -> &'static str {
    match code {
        "c" => "cascade",
        "n" => "set null",
        "d" => "set default",
        "r" => "restrict",
        _ => "no action",
    }
}
