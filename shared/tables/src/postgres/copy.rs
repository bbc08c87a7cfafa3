//! Reading one table through COPY, on the connection that holds the snapshot.

use futures_util::TryStreamExt;
use sqlx::postgres::PgConnection;
use strongroom_archive::schema::TableSchema;
use tokio::sync::mpsc;

use super::binary::{Converter, Refusal};
use super::large;
use super::layout::Layout;
use super::types::{BPCHAR, DATE, Oid, TEXT, TIMESTAMP, TIMESTAMPTZ, VARCHAR};
use crate::block::{Block, BlockBuilder, send_full};
use crate::error::{Error, Result};
use crate::limit::ROW_BYTES;
use crate::names::{find_column, quoted};
use crate::options::Since;
use crate::times::TimeFilter;

/// Number of rows sent, and how many of them have an unreadable time.
pub(super) struct Sent {
    pub(super) rows: u64,
    pub(super) unreadable: u64,
}

pub(super) async fn read(
    connection: &mut PgConnection,
    table: &TableSchema,
    layout: &Layout,
    since: Option<&Since>,
    blocks: &mpsc::Sender<Block>,
) -> Result<Sent> {
    let failed = |error| read_error(table, &error);
    let (sql, filter) = copy_statement(table, layout, since)?;
    let mut converter = Converter::new(table, layout, filter);
    let mut rows = BlockBuilder::default();
    let mut sent = 0;
    let mut stream = connection.copy_out_raw(&sql).await.map_err(failed)?;
    while let Some(chunk) = stream.try_next().await.map_err(failed)? {
        converter.feed(&chunk, &mut rows).map_err(|refusal| refused(table, refusal))?;
        sent += send_full(&mut rows, blocks).await?;
    }
    if !converter.has_ended() {
        return Err(refused(table, Refusal::Layout));
    }
    rows.finish();
    sent += send_full(&mut rows, blocks).await?;
    Ok(Sent { rows: sent, unreadable: converter.unreadable() })
}

fn read_error(table: &TableSchema, error: &sqlx::Error) -> Error {
    match large::row_of(error) {
        Some(row) => too_large(table, row),
        None => Error::database(&table.source, format!("reading table {}", table.name), error),
    }
}

fn refused(table: &TableSchema, refusal: Refusal) -> Error {
    let (name, named) = (table.source.clone(), table.name.clone());
    let column = |at: usize| table.columns.get(at).map(|column| column.name.clone()).unwrap_or_default();
    match refusal {
        Refusal::TooLarge(number) => too_large(table, format!("row {number}")),
        Refusal::Value(at) => {
            let problem = format!("a value of column {:?} in an unknown form", column(at));
            Error::Protocol { name, table: named, problem }
        }
        Refusal::Layout => {
            let problem = "a row that does not match the table's columns".to_owned();
            Error::Protocol { name, table: named, problem }
        }
    }
}

fn too_large(table: &TableSchema, row: String) -> Error {
    Error::RowTooLarge { name: table.source.clone(), table: table.name.clone(), row, limit: ROW_BYTES }
}

/// The statement, and the filter that must run here because the server cannot apply it.
fn copy_statement(
    table: &TableSchema,
    layout: &Layout,
    since: Option<&Since>,
) -> Result<(String, Option<TimeFilter>)> {
    let mut select = format!("SELECT {} FROM {} AS t", layout.expressions.join(", "), layout.from);
    let mut conditions: Vec<String> = layout.guard.iter().cloned().collect();
    let mut filter = None;
    if let Some(since) = since {
        let at = find_column(table, &since.column)?;
        match time_condition(layout.base_types[at], since) {
            Some(condition) => conditions.push(condition),
            None if is_text(layout.base_types[at]) => filter = Some(TimeFilter::new(at, since.from)),
            None => {
                return Err(Error::TimeColumn {
                    table: table.name.clone(),
                    column: since.column.clone(),
                    type_name: table.columns[at].type_name.clone(),
                });
            }
        }
    }
    if !conditions.is_empty() {
        select.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
    }
    Ok((format!("COPY ({select}) TO STDOUT (FORMAT binary)"), filter))
}

fn is_text(base_type: Oid) -> bool {
    matches!(base_type, TEXT | VARCHAR | BPCHAR)
}

/// A condition for types that hold times. The session's time zone is UTC.
fn time_condition(base_type: Oid, since: &Since) -> Option<String> {
    let (column, from) = (quoted(&since.column), since.from);
    let time = format!("(timestamptz 'epoch' + interval '{from} microseconds')");
    match base_type {
        TIMESTAMPTZ => Some(format!("t.{column} >= {time}")),
        TIMESTAMP => Some(format!("t.{column} >= {time}::timestamp")),
        DATE => Some(format!("t.{column} >= {time}::date")),
        _ => None,
    }
}
