//! `strongroom.backup.v1.DrillService`.

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::drill_service_server::DrillService;
use strongroom_api::time::{duration, timestamp};
use strongroom_runtime::Caller;
use tonic::{Request, Response, Status};

use super::answer::{answer, refused, to_its_end};
use super::paging::{page, token};
use super::restore_request::check_id;
use crate::backups::record::from_json;
use crate::drills::Drills;
use crate::drills::evidence::{Check, Evidence, Outcome};
use crate::error::Result;
use crate::store::{DrillRow, DrillState};

/// The service implementation for tonic.
pub(crate) struct DrillGrpc {
    pub(crate) drills: Drills,
}

#[tonic::async_trait]
impl DrillService for DrillGrpc {
    async fn run_drill(
        &self,
        request: Request<proto::RunDrillRequest>,
    ) -> Result<Response<proto::RunDrillResponse>, Status> {
        let caller = Caller::of(&request)?;
        let id = request.into_inner().backup_id;
        if !id.is_empty() {
            check_id(&id, "backup_id").map_err(|error| refused(&error))?;
        }
        let drills = self.drills.clone();
        let begun = to_its_end(async move { drills.begin(&caller, &id).await }).await;
        answer(begun.map(|row| proto::RunDrillResponse { drill: Some(drill(row)) }))
    }

    async fn get_drill(
        &self,
        request: Request<proto::GetDrillRequest>,
    ) -> Result<Response<proto::GetDrillResponse>, Status> {
        let id = request.into_inner().id;
        check_id(&id, "id").map_err(|error| refused(&error))?;
        let found = self.drills.get(&id).await;
        answer(found.map(|row| proto::GetDrillResponse { drill: Some(drill(row)) }))
    }

    async fn list_drills(
        &self,
        request: Request<proto::ListDrillsRequest>,
    ) -> Result<Response<proto::ListDrillsResponse>, Status> {
        answer(self.list(&request.into_inner()).await)
    }
}

impl DrillGrpc {
    async fn list(&self, request: &proto::ListDrillsRequest) -> Result<proto::ListDrillsResponse> {
        let (before, size) = page(request.page_size, &request.page_token)?;
        let rows = self.drills.list(before.as_ref(), size).await?;
        let next_page_token = match rows.last() {
            Some(last) if rows.len() as i64 == size => token(last.create_time, &last.id),
            _ => String::new(),
        };
        Ok(proto::ListDrillsResponse { drills: rows.into_iter().map(listed).collect(), next_page_token })
    }
}

/// A drill as an element of a list.
pub(super) fn listed(row: DrillRow) -> proto::Drill {
    proto::Drill { checks: Vec::new(), ..drill(row) }
}

fn drill(row: DrillRow) -> proto::Drill {
    let Evidence { checks, rows, .. } = from_json(&row.evidence);
    proto::Drill {
        id: row.id,
        backup_id: row.backup_id,
        file_name: row.file_name,
        schedule: row.schedule.unwrap_or_default(),
        state: match row.state {
            DrillState::Running => proto::DrillState::Running,
            DrillState::Passed => proto::DrillState::Passed,
            DrillState::Failed => proto::DrillState::Failed,
            DrillState::NotDone => proto::DrillState::NotDone,
        }
        .into(),
        creator: row.creator,
        create_time: Some(timestamp(row.create_time)),
        end_time: row.end_time.map(timestamp),
        reason: row.reason,
        problem: row.problem,
        checks: checks.into_iter().map(check).collect(),
        rows,
    }
}

fn check(check: Check) -> proto::DrillCheck {
    proto::DrillCheck {
        name: check.name,
        source: check.source,
        outcome: match check.outcome {
            Outcome::Passed => proto::DrillOutcome::Passed,
            Outcome::Failed => proto::DrillOutcome::Failed,
            Outcome::Skipped => proto::DrillOutcome::Skipped,
        }
        .into(),
        detail: check.detail,
        problem: check.problem,
        duration: Some(duration(check.took)),
    }
}
