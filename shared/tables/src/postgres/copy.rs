//! Reading one table through COPY, on the connection that holds the snapshot.

use futures_util::TryStreamExt;
use sqlx::postgres::PgConnection;
use strongroom_archive::schema::TableSchema;
use tokio::sync::mpsc;

use super::binary::Converter;
use super::introspect::Layout;
use super::types::{BPCHAR, DATE, TEXT, TIMESTAMP, TIMESTAMPTZ, VARCHAR};
use crate::block::{Block, BlockBuilder, send_full};
use crate::error::{Error, Result};
use crate::names::{find_column, quoted};
use crate::options::Since;

pub(super) async fn read(
    connection: &mut PgConnection,
    table: &TableSchema,
    layout: &Layout,
    since: Option<&Since>,
    blocks: &mpsc::Sender<Block>,
) -> Result<u64> {
    let failed = |error| read_error(table, error);
    let sql = copy_statement(table, layout, since)?;
    let mut converter = Converter::new(table, layout);
    let mut rows = BlockBuilder::default();
    let mut sent = 0;
    let mut stream = connection.copy_out_raw(&sql).await.map_err(failed)?;
    while let Some(chunk) = stream.try_next().await.map_err(failed)? {
        converter.feed(&chunk, &mut rows).ok_or_else(|| Error::Protocol { table: table.name.clone() })?;
        sent += send_full(&mut rows, blocks).await?;
    }
    if !converter.has_ended() {
        return Err(Error::Protocol { table: table.name.clone() });
    }
    rows.finish();
    Ok(sent + send_full(&mut rows, blocks).await?)
}

/// 22021 is what the server says when text of a SQL_ASCII database is not UTF-8, which this session expects.
fn read_error(table: &TableSchema, error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|error| error.code());
    if code.as_deref() == Some("22021") {
        return Error::NotUtf8 { name: table.source.clone(), table: table.name.clone() };
    }
    Error::database(&table.source, format!("reading table {}", table.name), error)
}

fn copy_statement(table: &TableSchema, layout: &Layout, since: Option<&Since>) -> Result<String> {
    let mut select = format!("SELECT {} FROM {} AS t", layout.expressions.join(", "), layout.from);
    if let Some(since) = since {
        select.push_str(&time_condition(table, layout, since)?);
    }
    Ok(format!("COPY ({select}) TO STDOUT (FORMAT binary)"))
}

/// The session's time zone is UTC. Text is compared to the second or as far as it goes (a bare date counts
/// until its end), with the `T` of ISO 8601 as a space.
fn time_condition(table: &TableSchema, layout: &Layout, since: &Since) -> Result<String> {
    let at = find_column(table, &since.column)?;
    let (column, from) = (quoted(&since.column), since.from);
    let time = format!("(timestamptz 'epoch' + interval '{from} microseconds')");
    Ok(match layout.base_types[at] {
        TIMESTAMPTZ => format!(" WHERE t.{column} >= {time}"),
        TIMESTAMP => format!(" WHERE t.{column} >= {time}::timestamp"),
        DATE => format!(" WHERE t.{column} >= {time}::date"),
        TEXT | VARCHAR | BPCHAR => format!(
            " WHERE replace(t.{column}::text, 'T', ' ') COLLATE \"C\" \
             >= left(to_char({time}, 'YYYY-MM-DD HH24:MI:SS'), length(t.{column}::text))"
        ),
        _ => {
            return Err(Error::TimeColumn {
                table: table.name.clone(),
                column: since.column.clone(),
                type_name: table.columns[at].type_name.clone(),
            });
        }
    })
}
