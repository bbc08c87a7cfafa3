//! Sends the document as the messages of `ExportTables`: header, chunks, trailer.

use std::io;
use std::sync::mpsc::{Receiver, channel};

use strongroom_api::backup::v1::export_backup_response::Chunk as Piece;
use strongroom_api::backup::v1::export_tables_response::{Chunk, Header, Message, Trailer};
use strongroom_api::backup::v1::{ExportTablesResponse, ExportedTable};
use strongroom_api::time::timestamp;
use strongroom_archive::document::DocumentWriter;
use strongroom_archive::schema::TableSchema;
use strongroom_tables::Block;
use tokio::sync::mpsc;

use super::Exporting;
use crate::assembly::{CHUNK_SIZE, ChunkWriter};
use crate::error::{Error, Result};
use crate::metrics::Size;
use crate::operation::Outlet;
use crate::sources::OpenSource;

/// Number of blocks that can wait for the client, about 128 KiB each.
const BLOCKS: usize = 4;

type HandOn = Box<dyn FnMut(Piece) -> io::Result<()> + Send>;

/// A document that is being sent.
pub(super) struct Document {
    id: String,
    writer: DocumentWriter<ChunkWriter<HandOn>>,
    /// Full chunks. Only the output of a single write call waits here.
    full: Receiver<Piece>,
    outlet: Outlet<ExportTablesResponse>,
    tables: Vec<ExportedTable>,
}

/// A document that was sent completely except for its trailer.
pub(super) struct Sent {
    pub(super) size: Size,
    pub(super) sha256: String,
    pub(super) trailer: ExportTablesResponse,
}

impl Document {
    /// Sends the header. All sources are open at that point, so a document that has begun is likely to be completed.
    pub(super) async fn begin(export: &Exporting, outlet: Outlet<ExportTablesResponse>) -> Result<Self> {
        let header = Header {
            export_id: export.id.clone(),
            file_name: export.file_name.clone(),
            create_time: Some(timestamp(export.time.as_microsecond())),
            chunk_size: CHUNK_SIZE as i64,
        };
        outlet.send(reply(Message::Header(header))).await?;
        let (sender, full) = channel();
        let hand_on: HandOn = Box::new(move |piece| sender.send(piece).map_err(io::Error::other));
        let writer = DocumentWriter::begin(ChunkWriter::create(hand_on), &export.base.app.name, export.time);
        let writer = writer.map_err(|error| written(&error))?;
        Ok(Self { id: export.id.clone(), writer, full, outlet, tables: Vec::new() })
    }

    /// Reads a table by its `own` name, and sends it under the names in `schema`.
    pub(super) async fn table(
        &mut self,
        schema: &TableSchema,
        own: &str,
        open: &mut OpenSource,
    ) -> Result<()> {
        self.writer.start_table(schema).map_err(|error| written(&error))?;
        let (blocks, received) = mpsc::channel(BLOCKS);
        let reading = async move { open.read_table(own, &blocks).await };
        let (read, sent) = tokio::join!(reading, self.rows(received));
        // If sending failed, reading was merely cancelled.
        sent?;
        let rows = i64::try_from(read?).unwrap_or(i64::MAX);
        self.writer.finish_table().map_err(|error| written(&error))?;
        self.send_full().await?;
        let (table, source) = (schema.name.clone(), schema.source.clone());
        self.tables.push(ExportedTable { table, source, rows });
        Ok(())
    }

    async fn rows(&mut self, mut blocks: mpsc::Receiver<Block>) -> Result<()> {
        while let Some(Block { bytes, .. }) = blocks.recv().await {
            // A block may be one long row: it is not kept in memory twice.
            let mut pieces = bytes.chunks(CHUNK_SIZE);
            self.writer.write_rows(pieces.next().unwrap_or_default()).map_err(|error| written(&error))?;
            self.send_full().await?;
            for piece in pieces {
                self.writer.write_on(piece).map_err(|error| written(&error))?;
                self.send_full().await?;
            }
        }
        Ok(())
    }

    async fn send_full(&mut self) -> Result<()> {
        send_all(&mut self.full, &self.outlet).await
    }

    /// Sends the rest of the document.
    pub(super) async fn finish(mut self) -> Result<Sent> {
        let rows = self.tables.iter().map(|table| table.rows).sum();
        let file = self.writer.finish().and_then(ChunkWriter::finish).map_err(|error| written(&error))?;
        send_all(&mut self.full, &self.outlet).await?;
        let trailer = Trailer {
            export_id: self.id,
            size_bytes: file.bytes,
            chunks: file.chunks,
            sha256: file.sha256.clone(),
            tables: self.tables,
        };
        let size = Size { bytes: file.bytes, rows };
        Ok(Sent { size, sha256: file.sha256, trailer: reply(Message::Trailer(trailer)) })
    }
}

async fn send_all(full: &mut Receiver<Piece>, outlet: &Outlet<ExportTablesResponse>) -> Result<()> {
    while let Ok(Piece { number, offset, data }) = full.try_recv() {
        outlet.send(reply(Message::Chunk(Chunk { number, offset, data }))).await?;
    }
    Ok(())
}

fn reply(message: Message) -> ExportTablesResponse {
    ExportTablesResponse { message: Some(message) }
}

/// The only writes are to our own queue.
fn written(error: &io::Error) -> Error {
    Error::Defect(format!("a document could not be written: {error}"))
}
