//! Loads rows into a table: one COPY for all of them, fed from a channel.

use sqlx::postgres::{PgConnection, PgCopyIn};
use tokio::sync::mpsc;

use super::pair::TablePair;
use super::problem;
use crate::error::{Error, Result};
use crate::load::{Chunk, Rows};
use crate::names::quoted;

/// Loads all received rows into `table` and returns their number.
///
/// # Errors
/// [`Error::Constraint`], [`Error::Cancelled`] if the last chunk does not arrive, or a server error.
pub(super) async fn load(
    connection: &mut PgConnection,
    source: &str,
    pair: &TablePair,
    table: &str,
    chunks: mpsc::Receiver<Chunk>,
) -> Result<u64> {
    let failed = |error| problem::of(source, pair, &error);
    let mut copy = connection.copy_in_raw(&statement(pair, table)).await.map_err(failed)?;
    let sent = match send(&mut copy, chunks).await {
        Ok(sent) => sent,
        Err(ended) => {
            // If the server refused something, it reports that now; otherwise the COPY ends because the rows ended early.
            let refused = copy.abort("the rows ended early").await;
            return Err(match (ended, refused) {
                (Some(error), _) | (None, Err(error)) => failed(error),
                (None, Ok(())) => Error::Cancelled,
            });
        }
    };
    let loaded = copy.finish().await.map_err(failed)?;
    if loaded == sent {
        return Ok(loaded);
    }
    let problem = format!("it kept {loaded} of {sent}: a trigger drops some");
    Err(Error::Constraint { name: source.to_owned(), table: pair.archive.name.clone(), problem })
}

/// If all columns are generated there is nothing to list, and an empty column list is not valid SQL.
fn statement(pair: &TablePair, table: &str) -> String {
    let columns = columns(pair);
    if columns.is_empty() {
        return format!("COPY {table} FROM STDIN");
    }
    format!("COPY {table} ({}) FROM STDIN", columns.join(", "))
}

/// The loaded columns, quoted, in the order of the values.
pub(super) fn columns(pair: &TablePair) -> Vec<String> {
    let loaded = pair.columns.iter().filter_map(|(_, at)| pair.live.columns.get(*at));
    loaded.map(|column| quoted(&column.name)).collect()
}

/// Sends every chunk. The error is the connection's, or `None` if the rows end early.
async fn send(
    copy: &mut PgCopyIn<&mut PgConnection>,
    mut chunks: mpsc::Receiver<Chunk>,
) -> Result<u64, Option<sqlx::Error>> {
    let mut sent = 0;
    while let Some(Chunk { rows, count, is_last }) = chunks.recv().await {
        // Rows of another kind come from the encoder of another engine's target.
        let Rows::Text(text) = rows else { break };
        copy.send(text).await.map_err(Some)?;
        sent += count;
        if is_last {
            return Ok(sent);
        }
    }
    Err(None)
}
