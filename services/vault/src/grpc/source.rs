//! `SourceService`: the vault's own tables, for the backup service. Restoring them comes with restore.

use strongroom_api::source::v1::source_service_server::SourceService;
use strongroom_api::source::v1::{
    AbortStageRequest, AbortStageResponse, CommitStageRequest, CommitStageResponse, DescribeSourceRequest,
    DescribeSourceResponse, ReadSnapshotRequest, ReadSnapshotResponse, StageTablesRequest,
    StageTablesResponse,
};
use strongroom_runtime::stream_limits::{LimitedStream, StreamLimits, limited};
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{Answer, Api};
use crate::DOMAIN;
use crate::convert::micros;
use crate::error::Error;

const NO_RESTORE: Error = Error::Unimplemented("this vault cannot take tables back yet");

#[async_trait]
impl SourceService for Api {
    type ReadSnapshotStream = LimitedStream<ReadSnapshotResponse>;

    async fn describe_source(&self, _: Request<DescribeSourceRequest>) -> Answer<DescribeSourceResponse> {
        let tables = self.0.describe_source().await?;
        Ok(Response::new(DescribeSourceResponse { tables }))
    }

    async fn read_snapshot(&self, request: Request<ReadSnapshotRequest>) -> Answer<Self::ReadSnapshotStream> {
        let request = request.into_inner();
        // The vault's tables have no time column, so that it selects nothing here.
        micros("since", request.since.as_ref())?;
        let messages = self.0.read_source(&request.groups, &request.tables).await?;
        let messages = messages.map(|message| message.map_err(Status::from));
        // The snapshot keeps the database from cleaning up, and the WAL grows with every write.
        Ok(Response::new(limited(messages, StreamLimits::default(), DOMAIN)))
    }

    async fn stage_tables(&self, _: Request<Streaming<StageTablesRequest>>) -> Answer<StageTablesResponse> {
        Err(NO_RESTORE.into())
    }

    async fn commit_stage(&self, _: Request<CommitStageRequest>) -> Answer<CommitStageResponse> {
        Err(NO_RESTORE.into())
    }

    async fn abort_stage(&self, _: Request<AbortStageRequest>) -> Answer<AbortStageResponse> {
        Err(NO_RESTORE.into())
    }
}
