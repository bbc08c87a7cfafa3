//! Sends rows back to a service: the writing half of `strongroom.source.v1`.
//!
//! A service stages, commits and undoes by itself, under the restore's id. Its state of a stage is the restore's
//! marker, like our row in a database.

use std::time::Duration;

use strongroom_api::source::v1::stage::State;
use strongroom_api::source::v1::stage_tables_request::Message;
use strongroom_api::source::v1::{
    AbortStageRequest, CommitStageRequest, CommitStageResponse, DescribeSourceRequest, GetStageRequest,
    RestoreGrant, RollbackStageRequest, Stage, StageTablesRequest, Table,
};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status};

use super::{ANSWER, ServiceSource};
use crate::error::{Error, RestoreError, Result};
use crate::vault_client::is_away;

/// Maximum time for a service to stage, commit or undo: it processes whole tables.
const WORK: Duration = Duration::from_secs(3600);

impl ServiceSource {
    /// Its tables with their schemas.
    ///
    /// # Errors
    /// As for every read.
    pub(crate) async fn described(&self) -> Result<Vec<Table>> {
        let mut request = Request::new(DescribeSourceRequest {});
        request.set_timeout(ANSWER);
        let answer = self.client()?.describe_source(request).await.map_err(|status| self.failed(status))?;
        Ok(answer.into_inner().tables)
    }

    /// Sends `messages` until their sender is dropped. A sender that gives up must not end a table.
    ///
    /// # Errors
    /// [`RestoreError::SourceRefused`], and errors of an unavailable service.
    pub(crate) async fn stage(&self, messages: mpsc::Receiver<Message>) -> Result<Stage> {
        let messages = ReceiverStream::new(messages);
        let messages = messages.map(|message| StageTablesRequest { message: Some(message) });
        let mut client = self.client()?;
        let answer = self.within(client.stage_tables(messages)).await?;
        answer.into_inner().stage.ok_or_else(|| self.unexpected("an answer without its stage"))
    }

    /// The state of a stage; `None` if it does not exist.
    ///
    /// # Errors
    /// As for [`Self::stage`].
    pub(crate) async fn stage_state(&self, id: &str) -> Result<Option<State>> {
        let mut request = Request::new(GetStageRequest { stage_id: id.to_owned() });
        request.set_timeout(ANSWER);
        match self.client()?.get_stage(request).await {
            Ok(answer) => Ok(answer.into_inner().stage.map(|stage| stage.state())),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(self.refused(status)),
        }
    }

    /// Makes a stage live; repeating it is harmless.
    ///
    /// # Errors
    /// As for [`Self::stage`].
    pub(crate) async fn commit_stage(&self, id: &str) -> Result<CommitStageResponse> {
        let mut client = self.client()?;
        let request = CommitStageRequest { stage_id: id.to_owned() };
        Ok(self.within(client.commit_stage(request)).await?.into_inner())
    }

    /// Restores the previous state of the tables; repeating it is harmless.
    ///
    /// # Errors
    /// As for [`Self::stage`]: `STAGE_CHANGED` for rows that have changed since, unless these changes are discarded.
    pub(crate) async fn roll_back_stage(
        &self,
        id: &str,
        grant: Option<RestoreGrant>,
        discard_changes: bool,
    ) -> Result<Stage> {
        let mut client = self.client()?;
        let request = RollbackStageRequest { stage_id: id.to_owned(), discard_changes, grant };
        let answer = self.within(client.rollback_stage(request)).await?;
        answer.into_inner().stage.ok_or_else(|| self.unexpected("an answer without its stage"))
    }

    /// Drops a stage, or its remains. Returns false, without dropping anything, if `only_staged` is set and the stage
    /// was committed.
    ///
    /// # Errors
    /// As for [`Self::stage`].
    pub(crate) async fn abort_stage(
        &self,
        id: &str,
        grant: Option<RestoreGrant>,
        only_staged: bool,
    ) -> Result<bool> {
        let mut client = self.client()?;
        let request = AbortStageRequest { stage_id: id.to_owned(), only_staged, grant };
        match self.within(client.abort_stage(request)).await {
            Ok(_) => Ok(true),
            Err(Error::Restore(RestoreError::SourceRefused { source, .. }))
                if only_staged && source.code() == Code::FailedPrecondition =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T, Status>>) -> Result<T> {
        let answered = tokio::time::timeout(WORK, call).await;
        answered.map_err(|_| self.silent(WORK))?.map_err(|status| self.refused(status))
    }

    /// The error for a write that the service refused.
    fn refused(&self, status: Status) -> Error {
        if is_away(status.code()) {
            return self.failed(status);
        }
        let (name, source) = (self.name.clone(), Box::new(status));
        RestoreError::SourceRefused { name, source }.into()
    }
}
