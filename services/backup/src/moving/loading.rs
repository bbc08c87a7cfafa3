//! Loads a document into a stage: one thread reads and encodes rows while the database takes earlier ones.

use std::io;

use serde_json::value::RawValue;
use strongroom_archive::document::{Outline, TakeRows};
use strongroom_tables::load::{Chunk, Encoder, Stage};
use tokio::sync::mpsc;

use super::contents::Document;
use crate::error::{Error, Result};

/// Number of chunks of a table that can wait for the database, together about 1 MiB.
const CHUNKS: usize = 4;

/// The rows of a document.
pub(super) enum Rows {
    /// Rows in the document itself.
    Document(Outline),
    /// Rows made from Gatwy's entries: tables of rows of values.
    Made(Vec<Vec<Vec<Box<RawValue>>>>),
}

impl Rows {
    /// Number of tables.
    fn tables(&self) -> usize {
        match self {
            Self::Document(outline) => outline.tables.len(),
            Self::Made(tables) => tables.len(),
        }
    }

    fn read(&self, document: &Document, taker: &mut dyn TakeRows) -> Result<()> {
        match self {
            Self::Document(outline) => document.read_rows(outline, taker),
            Self::Made(tables) => Ok(take(tables, taker)?),
        }
    }
}

fn take(tables: &[Vec<Vec<Box<RawValue>>>], taker: &mut dyn TakeRows) -> strongroom_archive::Result<()> {
    let taken = |error| strongroom_archive::Error::Sink(error);
    for (at, rows) in tables.iter().enumerate() {
        for row in rows {
            let values: Vec<&RawValue> = row.iter().map(AsRef::as_ref).collect();
            taker.row(at, &values).map_err(taken)?;
        }
        taker.end(at).map_err(taken)?;
    }
    Ok(())
}

/// Loads all rows. Tables are loaded in order, because the stage takes one after the other.
///
/// # Errors
/// Errors of the database, of reading the document, and of values that a column does not accept.
pub(super) async fn load(rows: Rows, document: Document, stage: &mut Stage) -> Result<()> {
    let (mut tables, mut queues) = (Vec::new(), Vec::new());
    for at in 0..rows.tables() {
        let (chunks, queue) = mpsc::channel(CHUNKS);
        tables.push(Some((stage.encoder(at), chunks)));
        queues.push(queue);
    }
    let reading = tokio::task::spawn_blocking(move || rows.read(&document, &mut Feed { tables }));
    let loading = async {
        for (at, queue) in queues.into_iter().enumerate() {
            stage.load(at, queue).await?;
        }
        Ok(())
    };
    let (read, loaded) = tokio::join!(reading, loading);
    settle(read?, loaded)
}

/// The side that failed first has the reason: if the database stops taking rows, the reader stops too, and vice versa.
fn settle(read: Result<()>, loaded: strongroom_tables::Result<()>) -> Result<()> {
    match (read, loaded) {
        (Err(error), Err(strongroom_tables::Error::Cancelled)) => Err(error),
        (_, Err(error)) => Err(error.into()),
        (read, Ok(())) => read,
    }
}

/// Takes the rows of all tables.
struct Feed {
    /// `None` once its last chunk was sent.
    tables: Vec<Option<(Encoder, mpsc::Sender<Chunk>)>>,
}

impl TakeRows for Feed {
    fn row(&mut self, table: usize, values: &[&RawValue]) -> io::Result<()> {
        let Some(Some((encoder, chunks))) = self.tables.get_mut(table) else { return Err(unknown(table)) };
        match encoder.add(values).map_err(|error| io::Error::from(Error::from(error)))? {
            Some(full) => send(chunks, full),
            None => Ok(()),
        }
    }

    fn end(&mut self, table: usize) -> io::Result<()> {
        let ended = self.tables.get_mut(table).and_then(Option::take);
        let (encoder, chunks) = ended.ok_or_else(|| unknown(table))?;
        send(&chunks, encoder.finish())
    }
}

fn unknown(table: usize) -> io::Error {
    Error::Defect(format!("there is no table at {table}")).into()
}

fn send(chunks: &mpsc::Sender<Chunk>, chunk: Chunk) -> io::Result<()> {
    // The loader has stopped and reports the error itself.
    chunks.blocking_send(chunk).map_err(|_| Error::ClientLeft.into())
}
