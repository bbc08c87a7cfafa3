//! Restores with a service that has one stored backup.

use std::time::Duration;

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::plan_restore_request::Archive;
use strongroom_api::backup::v1::plan_restore_response::Message;
use strongroom_api::backup::v1::restore_service_client::RestoreServiceClient;
use strongroom_api::backup::v1::{RestoreMode, RestoreState};
use strongroom_crypto::Token;
use strongroom_runtime::client::AuthorizedChannel;
use tonic::Status;

use super::Service;

const PERMISSIONS: &[&str] =
    &["restore.plan", "restore.apply", "restore.get", "restore.list", "restore.rollback", "backup.create"];

/// A client for restores.
pub(crate) struct Restoring(pub(crate) RestoreServiceClient<AuthorizedChannel>);

/// A plan for a stored backup.
pub(crate) fn of_backup(id: &str, mode: RestoreMode) -> proto::PlanRestoreRequest {
    proto::PlanRestoreRequest {
        archive: Some(Archive::BackupId(id.to_owned())),
        mode: mode.into(),
        ..proto::PlanRestoreRequest::default()
    }
}

/// The reasons why a restore is refused.
pub(crate) fn reasons(restore: &proto::Restore) -> Vec<String> {
    restore.plan.iter().flat_map(|plan| &plan.refusals).map(|refusal| refusal.reason.clone()).collect()
}

impl Restoring {
    /// A client with all permissions.
    pub(crate) fn of(service: &Service) -> Self {
        Self::with(service, PERMISSIONS)
    }

    pub(crate) fn with(service: &Service, permissions: &[&str]) -> Self {
        Self(RestoreServiceClient::new(service.channel(&Token::generate(), permissions)))
    }

    pub(crate) async fn plan(
        &mut self,
        request: proto::PlanRestoreRequest,
    ) -> Result<proto::Restore, Status> {
        let mut answers = self.0.plan_restore(request).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            if let Some(Message::Restore(restore)) = answer.message {
                assert!(answers.message().await?.is_none(), "the restore comes last");
                return Ok(restore);
            }
        }
        panic!("the answers ended without a restore")
    }

    /// Plans a restore that must be possible.
    pub(crate) async fn planned(&mut self, request: proto::PlanRestoreRequest) -> proto::Restore {
        let restore = self.plan(request).await.unwrap();
        assert_eq!(restore.state(), RestoreState::Planned, "{restore:?}");
        restore
    }

    /// Applies a plan and returns the resulting restore.
    pub(crate) async fn apply(&mut self, plan: &proto::Restore) -> Result<proto::Restore, Status> {
        let (id, confirm) = (plan.id.clone(), plan.confirm.clone());
        self.apply_with(proto::ApplyRestoreRequest { id, confirm, ..Default::default() }).await
    }

    pub(crate) async fn apply_with(
        &mut self,
        request: proto::ApplyRestoreRequest,
    ) -> Result<proto::Restore, Status> {
        let mut answers = self.0.apply_restore(request).await?.into_inner();
        let mut last = None;
        while let Some(answer) = answers.message().await? {
            last = answer.restore;
        }
        Ok(last.expect("an answer"))
    }

    pub(crate) async fn roll_back(
        &mut self,
        id: &str,
        discard_changes: bool,
    ) -> Result<proto::Restore, Status> {
        let request = proto::RollbackRestoreRequest { id: id.to_owned(), discard_changes };
        let mut answers = self.0.rollback_restore(request).await?.into_inner();
        let mut last = None;
        while let Some(answer) = answers.message().await? {
            last = answer.restore;
        }
        Ok(last.expect("an answer"))
    }

    pub(crate) async fn get(&mut self, id: &str) -> Result<proto::Restore, Status> {
        let answer = self.0.get_restore(proto::GetRestoreRequest { id: id.to_owned() }).await?;
        Ok(answer.into_inner().restore.unwrap())
    }

    /// Waits until the restore satisfies `is_so`.
    pub(crate) async fn until(
        &mut self,
        id: &str,
        is_so: impl Fn(&proto::Restore) -> bool,
    ) -> proto::Restore {
        let began = std::time::Instant::now();
        loop {
            let restore = self.get(id).await.unwrap();
            if is_so(&restore) {
                return restore;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "it stays {restore:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
