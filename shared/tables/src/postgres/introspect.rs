//! Reads table definitions from the catalogues. The statements work from version 12 on.
//!
//! `search_path` is `pg_catalog` alone, so the server prints the schema of every name that is not its own.

use std::collections::HashMap;

use sqlx::postgres::PgConnection;
use strongroom_archive::schema::{Column, Engine, Partition, TableName, TableSchema};

use super::attached::{self, Attached};
use super::binary::is_printed_by_server;
use super::constraints::{self, Constraints};
use super::layout::Layout;
use super::probe::Probe;
use super::properties::{self, Properties};
use super::relations::Relation;
use super::types::{Oid, Types};
use crate::error::{Error, Result};
use crate::names::quoted;
use crate::options::SnapshotOptions;

pub(super) struct Found {
    pub(super) tables: Vec<TableSchema>,
    pub(super) layouts: Vec<Layout>,
}

/// Reads the definitions of `relations`, in the same order.
pub(super) async fn tables(
    connection: &mut PgConnection,
    options: &SnapshotOptions,
    relations: &[Relation],
    probe: &Probe,
) -> Result<Found> {
    let failed = |error| Error::database(&options.source, "reading the table definitions", &error);
    let oids: Vec<Oid> = relations.iter().map(|relation| relation.oid).collect();
    let mut columns = columns(connection, &oids).await.map_err(failed)?;
    let mut parts = Parts::load(connection, relations, probe).await.map_err(failed)?;
    let used = columns.values().flatten().map(|(_, oid)| *oid);
    let types = Types::load(connection, used).await.map_err(failed)?;
    let printers = printers(connection, columns.values().flatten().map(|(_, oid)| types.base_of(*oid)));
    let printers = printers.await.map_err(failed)?;
    let mut found = Found { tables: Vec::new(), layouts: Vec::new() };
    for relation in relations {
        let columns = columns.remove(&relation.oid).unwrap_or_default();
        let used: Vec<Oid> = columns.iter().map(|(_, oid)| *oid).collect();
        let base_types: Vec<Oid> = used.iter().map(|oid| types.base_of(*oid)).collect();
        let expressions = columns.iter().zip(&base_types).map(|((column, _), base_type)| {
            let name = format!("t.{}", quoted(&column.name));
            printers.get(base_type).map_or(name.clone(), |printer| printer.print(&name))
        });
        let expressions = expressions.collect();
        let names: Vec<String> = columns.iter().map(|(column, _)| quoted(&column.name)).collect();
        found.layouts.push(Layout {
            from: relation.from(&names),
            guard: None,
            path: None,
            base_types,
            expressions,
        });
        let table = TableSchema {
            name: relation.name.clone(),
            namespace: relation.namespace.clone(),
            columns: columns.into_iter().map(|(column, _)| column).collect(),
            types: types.used_by(&used),
            partition_key: relation.partition_key.clone(),
            ..TableSchema::empty(&options.source, Engine::Postgres, &relation.table)
        };
        found.tables.push(parts.complete(table, relation));
    }
    options.check_only(&found.tables)?;
    Ok(found)
}

/// Parts of tables and partitions other than columns.
struct Parts {
    constraints: HashMap<Oid, Constraints>,
    attached: HashMap<Oid, Attached>,
    properties: HashMap<Oid, Properties>,
}

impl Parts {
    async fn load(
        connection: &mut PgConnection,
        relations: &[Relation],
        probe: &Probe,
    ) -> sqlx::Result<Self> {
        let partitions = relations.iter().flat_map(|relation| &relation.members).map(|one| one.oid);
        let oids: Vec<Oid> = relations.iter().map(|relation| relation.oid).chain(partitions).collect();
        let constraints = constraints::list(connection, &oids).await?;
        let attached = attached::list(connection, &oids).await?;
        let properties = properties::list(connection, &oids, probe.has_policies).await?;
        Ok(Self { constraints, attached, properties })
    }

    fn complete(&mut self, table: TableSchema, relation: &Relation) -> TableSchema {
        let constraints = self.constraints.remove(&relation.oid).unwrap_or_default();
        let attached = self.attached.remove(&relation.oid).unwrap_or_default();
        let properties = self.properties.remove(&relation.oid).unwrap_or_default();
        TableSchema {
            primary_key: constraints.primary_key,
            constraints: constraints.own,
            foreign_keys: constraints.foreign_keys,
            indexes: attached.indexes,
            triggers: attached.triggers,
            rules: attached.rules,
            policies: properties.policies,
            row_security: properties.row_security,
            replica_identity: properties.replica_identity,
            inherits: properties.inherits,
            unlogged: properties.unlogged,
            partitions: self.partitions(relation),
            ..table
        }
    }

    fn partitions(&mut self, relation: &Relation) -> Vec<Partition> {
        let mut of: HashMap<Oid, TableName> = HashMap::from([(relation.oid, relation.table_name())]);
        let mut partitions = Vec::with_capacity(relation.members.len());
        for member in &relation.members {
            let name = member.table_name();
            let constraints = self.constraints.remove(&member.oid).unwrap_or_default();
            let attached = self.attached.remove(&member.oid).unwrap_or_default();
            partitions.push(Partition {
                namespace: name.namespace.clone(),
                table: name.table.clone(),
                of: of.get(&member.parent).cloned().unwrap_or_else(|| relation.table_name()),
                bound: member.bound.clone(),
                partition_key: member.partition_key.clone(),
                constraints: constraints.own,
                foreign_keys: constraints.foreign_keys,
                indexes: attached.indexes,
                triggers: attached.triggers,
            });
            of.insert(member.oid, name);
        }
        partitions
    }
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
    collation: Option<String>,
}

/// An unvalidated NOT NULL (version 18) does not apply to old rows, so it does not count.
async fn columns(
    connection: &mut PgConnection,
    relations: &[Oid],
) -> sqlx::Result<HashMap<Oid, Vec<(Column, Oid)>>> {
    let rows: Vec<ColumnRow> = sqlx::query_as(
        "SELECT a.attrelid::int8 AS relation, a.attname::text AS name, a.atttypid::int8 AS type_oid,
                format_type(a.atttypid, a.atttypmod) AS type_name, a.attnotnull AND NOT EXISTS (
                    SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'n'
                    AND k.conkey[1] = a.attnum AND NOT k.convalidated) AS not_null,
                a.attidentity::text AS identity, a.attgenerated::text AS generated,
                pg_get_expr(d.adbin, d.adrelid) AS expression,
                (SELECT quote_ident(n.nspname) || '.' || quote_ident(l.collname)
                 FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
                 WHERE l.oid = a.attcollation AND l.oid <> t.typcollation) AS collation
         FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
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
            collation: row.collation,
            default,
            generated,
            is_virtual: row.generated == "v",
            identity,
        };
        columns.entry(row.relation).or_default().push((column, row.type_oid));
    }
    Ok(columns)
}

/// How the server prints values of a type, in the form that COPY returns.
#[derive(sqlx_macros::FromRow)]
struct Printer {
    oid: Oid,
    type_name: String,
    /// The output function, if this user can call it by name with a value of this type.
    function: Option<String>,
    /// Whether a user-defined cast to text exists, which may give a different text.
    has_cast: bool,
}

impl Printer {
    /// COPY calls output functions itself and needs no right for that, whereas a name in a statement needs EXECUTE on the
    /// function and USAGE on the type's schema. So only the server's own functions are named, which is fastest. For all
    /// others the server also calls the function itself: a conversion to text without a user-defined cast uses the output
    /// function, and so does `%s`.
    ///
    /// The cast in the first form removes a domain, which a polymorphic function (`array_out`) would not. All these functions
    /// return NULL for NULL. `num_nulls` counts a row of NULLs as a value, as COPY does.
    fn print(&self, value: &str) -> String {
        match (&self.function, self.has_cast) {
            (Some(function), _) => format!("pg_catalog.{function}({value}::{})", self.type_name),
            (None, false) => format!("{value}::text"),
            (None, true) => {
                format!(
                    "CASE WHEN pg_catalog.num_nulls({value}) = 0 THEN pg_catalog.format('%s', {value}) END"
                )
            }
        }
    }
}

/// Printers for those of `base_types` that do not arrive in the server's internal form. A type modifier of -1 prints `bit` as
/// `"bit"`, which has any length. `refcursor` is printed by another type's function.
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
