//! `strongroom.backup.v1`: parse, call, answer.

use std::sync::Arc;

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::backup_service_server::BackupService;
use strongroom_runtime::auth::permission_denied;
use strongroom_runtime::{Authenticator, Caller};
use tonic::{Request, Response, Status};

use crate::error::{DOMAIN, Error, Result};
use crate::export::{ExportRequest, ExportStream, Exports};
use crate::set::BackupSet;
use crate::source::Listing;
use crate::time::timestamp;

/// Needed beside the method's own permission when the archive is not sealed.
const PLAIN_PERMISSION: &str = "backup.export_plain";
const EXPORT_METHOD: &str = "strongroom.backup.v1.BackupService/ExportBackup";

/// Longest lists in a request.
const MAX_NAMES: usize = 10_000;

/// The service as tonic calls it.
pub(crate) struct BackupGrpc {
    pub(crate) exports: Arc<Exports>,
    pub(crate) set: Arc<BackupSet>,
    /// Hears of refusals that only a handler can see.
    pub(crate) authenticator: Arc<dyn Authenticator>,
}

#[tonic::async_trait]
impl BackupService for BackupGrpc {
    type ExportBackupStream = ExportStream;

    async fn export_backup(
        &self,
        request: Request<proto::ExportBackupRequest>,
    ) -> Result<Response<ExportStream>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        if !request.plain {
            return Err(Error::SealUnavailable.status());
        }
        if !caller.principal.may(PLAIN_PERMISSION) {
            self.authenticator.denied(&caller, EXPORT_METHOD, PLAIN_PERMISSION).await;
            return Err(permission_denied(DOMAIN, EXPORT_METHOD, PLAIN_PERMISSION));
        }
        let request = parse(request).map_err(|error| error.status())?;
        match self.exports.begin(&caller, &request).await {
            Ok(stream) => Ok(Response::new(stream)),
            Err(error) => Err(refused(&error)),
        }
    }

    async fn list_sources(
        &self,
        _request: Request<proto::ListSourcesRequest>,
    ) -> Result<Response<proto::ListSourcesResponse>, Status> {
        let listings = self.set.list().await.map_err(|error| refused(&error))?;
        let sources = listings.into_iter().map(source).collect();
        Ok(Response::new(proto::ListSourcesResponse { sources }))
    }
}

fn refused(error: &Error) -> Status {
    tracing::warn!(reason = error.reason(), %error, "a call failed");
    error.status()
}

fn parse(request: proto::ExportBackupRequest) -> Result<ExportRequest> {
    check_names("include", &request.include)?;
    check_names("tables", &request.tables)?;
    let since = match &request.since {
        None => None,
        Some(time) => {
            let parsed = timestamp(time);
            Some(parsed.ok_or_else(|| Error::field("since", "is no time between the years 1 and 9999"))?)
        }
    };
    Ok(ExportRequest { include: request.include, tables: request.tables, since })
}

fn check_names(field: &'static str, names: &[String]) -> Result<()> {
    if names.len() > MAX_NAMES {
        return Err(Error::field(field, format!("has more than {MAX_NAMES} names")));
    }
    if names.iter().any(String::is_empty) {
        return Err(Error::field(field, "contains an empty name"));
    }
    Ok(())
}

fn source(listing: Listing) -> proto::Source {
    let table =
        |table: crate::source::ListedTable| proto::SourceTable { name: table.name, group: table.group };
    proto::Source {
        name: listing.source,
        kind: listing.kind.to_owned(),
        tables: listing.tables.into_iter().map(table).collect(),
    }
}
