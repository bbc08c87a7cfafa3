//! Rows that are too long for an archive, stopped in the server: its driver holds a row whole before anyone can
//! measure it.
//!
//! A condition of the SELECT measures the large values of a row, without fetching them where the server allows that,
//! and makes the statement fail at the first row that is too long. SQL has no other way to raise an error than a
//! conversion that fails; the text that it fails on says which row it was.
//!
//! Only tables that may hold such a row have the condition, so that others do not pay for it. A long value is stored
//! outside its row and is compressed to a 255th at best (lz4; pglz reaches less), so a table has none while its TOAST
//! table is smaller than that.

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

/// Stored sizes below this one cannot become a row that is too long; the two are for the digits of a bytea.
const STORED: u64 = ROW_BYTES / 2 / 256;

/// What the failing text begins with.
const MARK: &str = "strongroom: too large: ";

/// Puts the condition into the layouts of tables that need it.
pub(super) async fn guard(
    connection: &mut PgConnection,
    relations: &[Relation],
    tables: &[TableSchema],
    layouts: &mut [Layout],
) -> sqlx::Result<()> {
    let oids: Vec<Oid> = relations.iter().flat_map(Relation::oids).collect();
    // In this form the server does not open other relations, which may be locked.
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

/// `None` when no column can be long.
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
    // The sum is in the text for a second reason: without a value of the row, the conversion would be made, and fail,
    // when the statement is planned.
    Some(format!(
        "CASE WHEN {sum} > {ROW_BYTES} THEN ('{MARK}' || {row} || ' with ' || {sum}::text || ' bytes')::int4 > 0 ELSE true END"
    ))
}

/// How long a value's text is, by an expression that does not fetch the value if possible; `None` for types that are
/// never long.
fn length(value: &str, base_type: Oid) -> Option<String> {
    match base_type {
        BOOL | INT2 | INT4 | INT8 | OID | NUMERIC | NAME | UUID | DATE | TIMESTAMP | TIMESTAMPTZ | FLOAT4
        | FLOAT8 => None,
        TEXT | VARCHAR | BPCHAR => Some(format!("pg_catalog.octet_length({value})::int8")),
        BYTEA => Some(format!("2 * pg_catalog.octet_length({value})::int8")),
        _ => Some(format!("pg_catalog.octet_length(pg_catalog.format('%s', {value}))::int8")),
    }
}

/// Which row made the condition fail, if `error` is that.
pub(super) fn row_of(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    if error.code() != codes::INVALID_TEXT_REPRESENTATION {
        return None;
    }
    let (_, rest) = error.message().split_once(MARK)?;
    Some(rest.trim_end_matches(['"', '»', '“', '”', '\'']).to_owned())
}
