//! Result handling shared by the handlers of all services.

use strongroom_runtime::telemetry::inherited;
use tonic::{Response, Status};
use tracing::Instrument as _;

use crate::error::{Error, Result};
use crate::health::is_watched;

/// gRPC drops a handler whose client leaves. Work that must not stop half-way continues in a task of its own.
pub(super) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(inherited(work.in_current_span())).await?
}

pub(super) fn answer<T>(result: Result<T>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|error| refused(&error))
}

pub(super) fn refused(error: &Error) -> Status {
    if !is_watched(error) {
        tracing::warn!(reason = error.reason(), %error, "a call failed");
    }
    error.status()
}
