//! `strongroom.backup.v1.BackupService`.

use std::sync::Arc;

use strongroom_age::{Passphrase, X25519Recipient};
use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::backup_service_server::BackupService;
use strongroom_api::backup::v1::export_backup_request::Seal;
use strongroom_api::backup::v1::verify_backup_request::{Chunk, End, Header, Message};
use strongroom_api::time::to_jiff;
use strongroom_runtime::auth::permission_denied;
use strongroom_runtime::{Authenticator, Caller};
use tokio_stream::StreamExt as _;
use tonic::{Code, Request, Response, Status, Streaming};
use zeroize::Zeroizing;

use crate::error::{DOMAIN, Error, Result};
use crate::export::{ExportRequest, Exports};
use crate::health::is_watched;
use crate::incoming::{MAX_CHUNK, Part};
use crate::operation::Replies;
use crate::seal::SealChoice;
use crate::sources::{ListedTable, Sources, Survey};
use crate::verification::Verifications;

const EXPORT_METHOD: &str = "strongroom.backup.v1.BackupService/ExportBackup";

/// Longest lists in a request.
const MAX_NAMES: usize = 10_000;
/// Most recipients of one archive.
const MAX_RECIPIENTS: usize = 20;
/// Longest passphrase in bytes.
const MAX_PASSPHRASE: usize = 1024;

/// The service as tonic calls it.
pub(crate) struct BackupGrpc {
    pub(crate) exports: Arc<Exports>,
    pub(crate) verifications: Arc<Verifications>,
    pub(crate) sources: Arc<Sources>,
    /// Hears of refusals that only a handler can see.
    pub(crate) authenticator: Arc<dyn Authenticator>,
}

#[tonic::async_trait]
impl BackupService for BackupGrpc {
    type ExportBackupStream = Replies<proto::ExportBackupResponse>;

    async fn export_backup(
        &self,
        request: Request<proto::ExportBackupRequest>,
    ) -> Result<Response<Self::ExportBackupStream>, Status> {
        let caller = Caller::of(&request)?;
        let mut request = request.into_inner();
        let choice = parse_seal(request.seal.take());
        let permission = choice.as_ref().ok().and_then(SealChoice::permission);
        if let Some(permission) = permission.filter(|permission| !caller.principal.may(permission)) {
            self.authenticator.denied(&caller, EXPORT_METHOD, permission).await;
            let holder = caller.principal.noun();
            return Err(permission_denied(DOMAIN, holder, EXPORT_METHOD, permission));
        }
        let choice = choice.map_err(|error| error.status())?;
        let request = parse(request).map_err(|error| error.status())?;
        match self.exports.begin(&caller, &request, choice).await {
            Ok(stream) => Ok(Response::new(stream)),
            Err(error) => Err(refused(&error)),
        }
    }

    type VerifyBackupStream = Replies<proto::VerifyBackupResponse>;

    async fn verify_backup(
        &self,
        request: Request<Streaming<proto::VerifyBackupRequest>>,
    ) -> Result<Response<Self::VerifyBackupStream>, Status> {
        let caller = Caller::of(&request)?;
        let parts = request.into_inner().map(part);
        let begun = self.verifications.begin(&caller, Box::pin(parts)).await;
        begun.map(Response::new).map_err(|error| refused(&error))
    }

    async fn list_sources(
        &self,
        _request: Request<proto::ListSourcesRequest>,
    ) -> Result<Response<proto::ListSourcesResponse>, Status> {
        let survey = self.sources.survey().await;
        let sources = (0..survey.sources.len()).map(|at| source(&survey, at)).collect();
        Ok(Response::new(proto::ListSourcesResponse { sources }))
    }
}

fn refused(error: &Error) -> Status {
    if !is_watched(error) {
        tracing::warn!(reason = error.reason(), %error, "a call failed");
    }
    error.status()
}

fn parse(request: proto::ExportBackupRequest) -> Result<ExportRequest> {
    check_names("include", &request.include)?;
    check_names("tables", &request.tables)?;
    let since = match &request.since {
        None => None,
        Some(time) => {
            let parsed = to_jiff(time);
            Some(parsed.ok_or_else(|| Error::field("since", "is no time between the years 1 and 9999"))?)
        }
    };
    Ok(ExportRequest { include: request.include, tables: request.tables, since })
}

fn parse_seal(seal: Option<Seal>) -> Result<SealChoice> {
    match seal {
        None | Some(Seal::Plain(false)) => Ok(SealChoice::Configured),
        Some(Seal::Plain(true)) => Ok(SealChoice::Plain),
        Some(Seal::Passphrase(seal)) => {
            parse_passphrase(&Zeroizing::new(seal.text)).map(SealChoice::Passphrase)
        }
        Some(Seal::Recipients(seal)) => parse_recipients(&seal.age).map(SealChoice::Recipients),
    }
}

fn parse_passphrase(text: &str) -> Result<Passphrase> {
    const FIELD: &str = "passphrase.text";
    if text.len() > MAX_PASSPHRASE {
        return Err(Error::field(
            FIELD,
            format!("has {} bytes; at most {MAX_PASSPHRASE} are allowed", text.len()),
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::field(FIELD, "must not contain control characters"));
    }
    Passphrase::new(text).map_err(|error| Error::field(FIELD, error.to_string()))
}

fn parse_recipients(given: &[String]) -> Result<Vec<X25519Recipient>> {
    const FIELD: &str = "recipients.age";
    let count = given.len();
    if !(1..=MAX_RECIPIENTS).contains(&count) {
        return Err(Error::field(FIELD, format!("has {count} recipients; must have 1 to {MAX_RECIPIENTS}")));
    }
    let mut recipients: Vec<X25519Recipient> = Vec::with_capacity(count);
    for (at, text) in given.iter().enumerate() {
        let parsed = text.parse();
        let recipient = parsed.map_err(|error| Error::element(FIELD, at, format!("{error}")))?;
        if recipients.contains(&recipient) {
            return Err(Error::element(FIELD, at, "is there twice"));
        }
        recipients.push(recipient);
    }
    Ok(recipients)
}

fn check_names(field: &'static str, names: &[String]) -> Result<()> {
    if names.len() > MAX_NAMES {
        return Err(Error::field(field, format!("has more than {MAX_NAMES} names")));
    }
    match names.iter().position(String::is_empty) {
        Some(at) => Err(Error::element(field, at, "must not be empty")),
        None => Ok(()),
    }
}

fn part(request: Result<proto::VerifyBackupRequest, Status>) -> Result<Part> {
    let message = match request {
        Ok(request) => request.message,
        Err(status) if status.code() == Code::OutOfRange => {
            let problem = format!("is too long; at most {MAX_CHUNK} bytes are allowed");
            return Err(Error::field("chunk.data", problem));
        }
        Err(_) => return Err(Error::ClientLeft),
    };
    match message {
        Some(Message::Header(Header { file_name, size_bytes })) => Ok(Part::Header { file_name, size_bytes }),
        Some(Message::Chunk(Chunk { number, offset, data })) => Ok(Part::Chunk { number, offset, data }),
        Some(Message::End(End { sha256 })) => Ok(Part::End { sha256 }),
        None => Err(Error::field("message", "is none of header, chunk and end")),
    }
}

/// A table whose name is taken is in no archive, and so not listed; the error says so.
fn source(survey: &Survey, at: usize) -> proto::Source {
    let found = &survey.sources[at];
    let taken = survey.names.check_source(at).err();
    let table = |table: &ListedTable| {
        let name = survey.names.of(at, &table.name)?;
        Some(proto::SourceTable { name: name.to_owned(), group: table.group.clone() })
    };
    proto::Source {
        name: found.source.clone(),
        kind: found.kind.to_owned(),
        tables: found.tables.iter().flatten().filter_map(table).collect(),
        group: found.group.clone(),
        error: found.error.as_ref().or(taken.as_ref()).map(source_error),
    }
}

/// What a status leaves out is in the log since the source failed ([`crate::source_watch`]).
fn source_error(error: &Error) -> proto::SourceError {
    let (status, reason) = (error.status(), error.reason());
    proto::SourceError {
        code: status.code().into(),
        reason: reason.to_owned(),
        message: status.message().to_owned(),
    }
}
