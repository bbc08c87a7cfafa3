//! `strongroom.backup.v1.TablesService`.

use std::time::Duration;

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::import_tables_request::{Chunk, End, Header, Message};
use strongroom_api::backup::v1::tables_service_server::TablesService;
use strongroom_runtime::Caller;
use tokio_stream::StreamExt as _;
use tonic::{Code, Request, Response, Status, Streaming};

use super::answer::{answer, refused};
use super::request::check_names;
use crate::error::{Error, Result};
use crate::incoming::{MAX_CHUNK, Part};
use crate::moving::{ImportRequest, Moves};
use crate::operation::Replies;

/// The service implementation for tonic.
pub(crate) struct TablesGrpc {
    pub(crate) moves: Moves,
}

#[tonic::async_trait]
impl TablesService for TablesGrpc {
    type ExportTablesStream = Replies<proto::ExportTablesResponse>;

    async fn export_tables(
        &self,
        request: Request<proto::ExportTablesRequest>,
    ) -> Result<Response<Self::ExportTablesStream>, Status> {
        let caller = Caller::of(&request)?;
        let tables = request.into_inner().tables;
        check_names("tables", &tables).map_err(|error| error.status())?;
        answer(self.moves.export(&caller, &tables).await)
    }

    async fn import_tables(
        &self,
        request: Request<Streaming<proto::ImportTablesRequest>>,
    ) -> Result<Response<proto::ImportTablesResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut requests = request.into_inner();
        let header = header(&mut requests, self.moves.patience()).await.map_err(|error| refused(&error))?;
        let parts = requests.map(part);
        self.moves.import(&caller, header, Box::pin(parts)).await.map(Response::new)
    }
}

/// # Errors
/// [`Error::Field`] if the first message is not the header, [`Error::ClientSilent`].
async fn header(
    requests: &mut Streaming<proto::ImportTablesRequest>,
    patience: Duration,
) -> Result<ImportRequest> {
    let first = tokio::time::timeout(patience, requests.next()).await;
    match first.map_err(|_| Error::ClientSilent(patience.as_secs()))? {
        Some(Ok(proto::ImportTablesRequest { message: Some(Message::Header(header)) })) => {
            let Header { dry_run, file_name } = header;
            Ok(ImportRequest { dry_run, file_name })
        }
        Some(Ok(_)) => Err(Error::field("header", "must be the first message")),
        Some(Err(_)) | None => Err(Error::ClientLeft),
    }
}

fn part(request: Result<proto::ImportTablesRequest, Status>) -> Result<Part> {
    let message = match request {
        Ok(request) => request.message,
        Err(status) if status.code() == Code::OutOfRange => {
            let problem = format!("is too long; at most {MAX_CHUNK} bytes are allowed");
            return Err(Error::field("chunk.data", problem));
        }
        Err(_) => return Err(Error::ClientLeft),
    };
    match message {
        Some(Message::Header(_)) => Err(Error::field("header", "was sent already")),
        Some(Message::Chunk(Chunk { number, offset, data })) => Ok(Part::Chunk { number, offset, data }),
        Some(Message::End(End { sha256 })) => Ok(Part::End { sha256: Some(sha256) }),
        None => Err(Error::field("message", "is not a header, a chunk or an end")),
    }
}
