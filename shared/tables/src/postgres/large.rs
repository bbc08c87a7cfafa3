//! Stops rows that are too long for an archive in the server, because the driver holds a whole row before it can be measured.
//!
//! A condition in the SELECT measures a row's large values, without fetching them where the server allows that, and makes the
//! statement fail at the first row that is too long. A failing conversion is SQL's only way to raise an error; the text that
//! it fails on identifies the row.
//!
//! Only tables that can contain such a row have the condition, so that others do not pay for it. A long value is stored
//! outside its row and is compressed to a 255th at best (lz4; pglz achieves less), so a table whose TOAST table is smaller
//! than that has no such row.

use sqlx::postgres::{PgConnection, PgDatabaseError};
use strongroom_archive::schema::TableSchema;

use super::layout::Layout;
use super::relations::Relation;
use super::types::{
    BOOL, BPCHAR, BYTEA, DATE, FLOAT4, FLOAT8, INT2, INT4, INT8, NAME, NUMERIC, OID, Oid, TEXT, TIMESTAMP,
    TIMESTAMPTZ, UUID, VARCHAR,
};
use crate::limit::ROW_BYTES;
use crate::names::quoted;
use crate::postgres::codes;

/// Smaller stored sizes cannot become a row that is too long; the factor of two is for a bytea's hex digits.
const STORED: u64 = ROW_BYTES / 2 / 256;

/// Prefix of the failing text.
const MARK: &str = "strongroom: too large: ";

/// Adds the condition to the layouts of tables that need it.
pub(super) async fn guard(
    connection: &mut PgConnection,
    relations: &[Relation],
    tables: &[TableSchema],
    layouts: &mut [Layout],
) -> sqlx::Result<()> {
    let oids: Vec<Oid> = relations.iter().flat_map(Relation::oids).collect();
    // Written this way, the query does not open other relations, which may be locked.
    let large: Vec<Oid> = sqlx::query_scalar(
        "SELECT oid::int8 FROM pg_class
         WHERE CASE WHEN oid = ANY ($1::int8[]::oid[]) THEN pg_relation_size(reltoastrelid) >= $2 ELSE false END",
    )
    .bind(oids)
    .bind(STORED.cast_signed())
    .persistent(false)
    .fetch_all(connection)
    .await?;
    for ((relation, table), layout) in relations.iter().zip(tables).zip(layouts) {
        if relation.oids().any(|oid| large.contains(&oid)) {
            layout.guard = condition(relation, table, &layout.base_types);
        }
    }
    Ok(())
}

/// `None` if no column can be long.
fn condition(relation: &Relation, table: &TableSchema, base_types: &[Oid]) -> Option<String> {
    let columns = table.columns.iter().zip(base_types);
    let lengths: Vec<String> = columns
        .filter_map(|(column, base_type)| {
            let value = format!("t.{}", quoted(&column.name));
            let length = length(&value, *base_type)?;
            Some(format!("CASE WHEN pg_catalog.pg_column_size({value}) >= {STORED} THEN {length} ELSE 0 END"))
        })
        .collect();
    if lengths.is_empty() {
        return None;
    }
    let (sum, row) = (format!("({})", lengths.join(" + ")), relation.row_place());
    // The sum is in the text for a second reason: without a value from the row, the planner would evaluate the conversion,
    // which would then fail.
    Some(format!(
        "CASE WHEN {sum} > {ROW_BYTES} THEN ('{MARK}' || {row} || ' with ' || {sum}::text || ' bytes')::int4 > 0 ELSE true END"
    ))
}

/// An expression for the length of a value's text that avoids fetching the value if possible; `None` for types that are never
/// long.
fn length(value: &str, base_type: Oid) -> Option<String> {
    match base_type {
        BOOL | INT2 | INT4 | INT8 | OID | NUMERIC | NAME | UUID | DATE | TIMESTAMP | TIMESTAMPTZ | FLOAT4
        | FLOAT8 => None,
        TEXT | VARCHAR | BPCHAR => Some(format!("pg_catalog.octet_length({value})::int8")),
        BYTEA => Some(format!("2 * pg_catalog.octet_length({value})::int8")),
        _ => Some(format!("pg_catalog.octet_length(pg_catalog.format('%s', {value}))::int8")),
    }
}

/// The row that made the condition fail, if that is the cause of `error`.
pub(super) fn row_of(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    if error.code() != codes::INVALID_TEXT_REPRESENTATION {
        return None;
    }
    let (_, rest) = error.message().split_once(MARK)?;
    Some(rest.trim_end_matches(['"', '»', '“', '”', '\'']).to_owned())
}
