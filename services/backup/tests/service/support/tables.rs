//! Exports and imports of tables as one document.

use sha2::{Digest as _, Sha256};
use strongroom_api::backup::v1::export_tables_response::{Message, Trailer};
use strongroom_api::backup::v1::import_tables_request::{Chunk, End, Header, Message as Sent};
use strongroom_api::backup::v1::tables_service_client::TablesServiceClient;
use strongroom_api::backup::v1::{
    ExportTablesRequest, ImportTablesRequest, ImportTablesResponse, ImportedTable,
};
use strongroom_crypto::Token;
use strongroom_runtime::client::AuthorizedChannel;
use tonic::Status;

use super::Service;

/// Bytes of an uploaded chunk.
const CHUNK: usize = 100_000;

/// A client for table exports and imports.
pub(crate) struct Moving(pub(crate) TablesServiceClient<AuthorizedChannel>);

/// Counts for each table: rows, created, kept, conflicts.
pub(crate) fn counts(answer: &ImportTablesResponse) -> Vec<(&str, [i64; 4])> {
    let of = |table: &ImportedTable| [table.rows, table.created, table.kept, table.conflicts];
    answer.tables.iter().map(|table| (table.table.as_str(), of(table))).collect()
}

/// The reasons why an import is refused.
pub(crate) fn reasons(answer: &ImportTablesResponse) -> Vec<&str> {
    answer.refusals.iter().map(|refusal| refusal.reason.as_str()).collect()
}

pub(crate) fn header(dry_run: bool) -> Sent {
    Sent::Header(Header { dry_run, file_name: "tables.json".into() })
}

pub(crate) fn end(document: &[u8]) -> Sent {
    Sent::End(End { sha256: hex::encode(Sha256::digest(document)) })
}

/// The messages between header and end.
pub(crate) fn chunks(document: &[u8]) -> Vec<Sent> {
    let pieces = document.chunks(CHUNK).enumerate();
    let chunk = |(at, data): (usize, &[u8])| {
        let (number, offset) = (at as i64, (at * CHUNK) as i64);
        Sent::Chunk(Chunk { number, offset, data: data.to_vec().into() })
    };
    pieces.map(chunk).collect()
}

impl Moving {
    /// A client with both permissions.
    pub(crate) fn of(service: &Service) -> Self {
        Self::with(service, &["tables.export", "tables.import"])
    }

    pub(crate) fn with(service: &Service, permissions: &[&str]) -> Self {
        Self(TablesServiceClient::new(service.channel(&Token::generate(), permissions)))
    }

    /// The document, checked against the contract, and its trailer.
    pub(crate) async fn export(&mut self, tables: &[&str]) -> Result<(Vec<u8>, Trailer), Status> {
        let tables = tables.iter().map(|name| (*name).to_owned()).collect();
        let mut answers = self.0.export_tables(ExportTablesRequest { tables }).await?.into_inner();
        let first = answers.message().await?.and_then(|answer| answer.message);
        let Some(Message::Header(header)) = first else { panic!("{first:?} is no header") };
        let (mut document, mut number) = (Vec::new(), 0);
        while let Some(answer) = answers.message().await? {
            match answer.message.unwrap() {
                Message::Chunk(chunk) => {
                    assert_eq!((chunk.number, chunk.offset), (number, document.len() as i64));
                    assert_eq!(chunk.offset % header.chunk_size, 0, "all but the last are full");
                    document.extend_from_slice(&chunk.data);
                    number += 1;
                }
                Message::Trailer(trailer) => {
                    assert!(answers.message().await?.is_none(), "nothing follows the trailer");
                    assert_eq!((trailer.size_bytes, trailer.chunks), (document.len() as i64, number));
                    assert_eq!(trailer.sha256, hex::encode(Sha256::digest(&document)));
                    assert_eq!(trailer.export_id, header.export_id);
                    return Ok((document, trailer));
                }
                Message::Header(_) => panic!("a second header"),
            }
        }
        panic!("the stream ended well without a trailer")
    }

    pub(crate) async fn import(
        &mut self,
        document: &[u8],
        dry_run: bool,
    ) -> Result<ImportTablesResponse, Status> {
        let mut messages = vec![header(dry_run)];
        messages.extend(chunks(document));
        messages.push(end(document));
        self.send(messages).await
    }

    pub(crate) async fn send(&mut self, messages: Vec<Sent>) -> Result<ImportTablesResponse, Status> {
        let requests = messages.into_iter().map(|message| ImportTablesRequest { message: Some(message) });
        let requests = tokio_stream::iter(requests.collect::<Vec<_>>());
        Ok(self.0.import_tables(requests).await?.into_inner())
    }
}
