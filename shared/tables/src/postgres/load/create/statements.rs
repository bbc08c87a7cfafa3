//! `CREATE TABLE`, with everything that rows need.

use strongroom_archive::manifest::Sequence;
use strongroom_archive::schema::{Column, Constraint, ConstraintKind, Partition, TableSchema};

use super::{name_of, qualified, sequences};
use crate::names::quoted;

/// The table and its partitions, including its checks; its keys come later. `all` contains the tables that it inherits from.
pub(super) fn table(table: &TableSchema, all: &[TableSchema], recorded: &[Sequence]) -> String {
    let own = table.columns.iter().filter(|column| !is_computed_by_parent(table, column, all));
    let mut parts: Vec<String> = own.map(|one| column(table, one, recorded)).collect();
    parts.extend(checks(&table.constraints));
    let unlogged = if table.unlogged { "UNLOGGED " } else { "" };
    let mut sql = format!(
        "CREATE {unlogged}TABLE {} ({})",
        qualified(&table.namespace, &table.table),
        parts.join(", ")
    );
    if !table.inherits.is_empty() {
        let parents: Vec<String> =
            table.inherits.iter().map(|one| qualified(&one.namespace, &one.table)).collect();
        sql.push_str(&format!(" INHERITS ({})", parents.join(", ")));
    }
    sql.push_str(&split(table.partition_key.as_deref()));
    for partition in &table.partitions {
        sql.push_str(";\n");
        sql.push_str(&self::partition(partition));
    }
    sql
}

/// Whether a parent table already defines this generated column in the same way. Before PostgreSQL 16, the statement of
/// the inheriting table must not repeat the expression.
fn is_computed_by_parent(table: &TableSchema, column: &Column, all: &[TableSchema]) -> bool {
    let is_parent = |other: &&TableSchema| table.inherits.contains(&name_of(other));
    let mut inherited = all.iter().filter(is_parent).flat_map(|parent| &parent.columns);
    column.generated.is_some()
        && inherited.any(|other| other.name == column.name && other.generated == column.generated)
}

fn partition(partition: &Partition) -> String {
    let checks: Vec<String> = checks(&partition.constraints).collect();
    let checks = if checks.is_empty() { String::new() } else { format!(" ({})", checks.join(", ")) };
    format!(
        "CREATE TABLE {} PARTITION OF {}{checks} {}{}",
        qualified(&partition.namespace, &partition.table),
        qualified(&partition.of.namespace, &partition.of.table),
        partition.bound,
        split(partition.partition_key.as_deref())
    )
}

fn split(key: Option<&str>) -> String {
    key.map(|key| format!(" PARTITION BY {key}")).unwrap_or_default()
}

fn checks(constraints: &[Constraint]) -> impl Iterator<Item = String> {
    let checks = constraints.iter().filter(|one| one.kind == ConstraintKind::Check && !is_late(one));
    checks.map(|one| format!("CONSTRAINT {} {}", quoted(&one.name), one.definition))
}

/// Whether a check ignores old rows, and so must be added after them.
pub(super) fn is_late(check: &Constraint) -> bool {
    check.definition.ends_with(" NOT VALID")
}

fn column(table: &TableSchema, column: &Column, recorded: &[Sequence]) -> String {
    let mut sql = format!("{} {}", quoted(&column.name), column.type_name);
    sql.extend(column.collation.iter().map(|collation| format!(" COLLATE {collation}")));
    if let Some(expression) = &column.generated {
        let kind = if column.is_virtual { "VIRTUAL" } else { "STORED" };
        sql.push_str(&format!(" GENERATED ALWAYS AS ({expression}) {kind}"));
    }
    if let Some(identity) = &column.identity {
        let identity = if identity == "always" { "ALWAYS" } else { "BY DEFAULT" };
        let counts = counts(table, column, recorded);
        sql.push_str(&format!(" GENERATED {identity} AS IDENTITY{counts}"));
    }
    sql.extend(column.default.iter().map(|default| format!(" DEFAULT {default}")));
    sql.push_str(if column.nullable { "" } else { " NOT NULL" });
    sql
}

/// The name and options of an identity column's sequence, if the archive has them.
fn counts(table: &TableSchema, column: &Column, recorded: &[Sequence]) -> String {
    let is_its = |one: &&Sequence| {
        one.owner.as_ref().is_some_and(|owner| {
            owner.namespace == table.namespace && owner.table == table.table && owner.column == column.name
        })
    };
    let Some(sequence) = recorded.iter().find(is_its) else { return String::new() };
    let name = qualified(&sequence.namespace, &sequence.name);
    format!(" (SEQUENCE NAME {name} {})", sequences::options(sequence.range.as_ref()))
}
