//! `strongroom.status.v1.StatusService`, for both services.

use std::sync::Arc;

use strongroom_api::status::v1 as proto;
use strongroom_api::status::v1::status_service_server::{StatusService, StatusServiceServer};
use strongroom_api::time::timestamp;
use tonic::{Request, Response, Status, async_trait};

use super::{Dependency, Health, State};
use crate::auth::Caller;
use crate::server::GZIP;

/// Its full name, for health and reflection.
pub const SERVICE: &str = "strongroom.status.v1.StatusService";

/// Status that a service reports besides the state of its dependencies.
pub trait Report: Send + Sync + 'static {
    /// Adds it to `status`.
    fn add(&self, status: &mut proto::Status);
}

/// Adds nothing.
impl Report for () {
    fn add(&self, _: &mut proto::Status) {}
}

/// Answers `GetStatus`.
#[derive(Clone)]
pub struct StatusApi {
    health: Health,
    report: Arc<dyn Report>,
}

impl StatusApi {
    /// A server for `health`, plus the status that `report` adds.
    #[must_use]
    pub fn server(health: Health, report: Arc<dyn Report>) -> StatusServiceServer<Self> {
        StatusServiceServer::new(Self { health, report }).accept_compressed(GZIP)
    }
}

#[async_trait]
impl StatusService for StatusApi {
    async fn get_status(
        &self,
        request: Request<proto::GetStatusRequest>,
    ) -> Result<Response<proto::GetStatusResponse>, Status> {
        let mut status = proto::Status {
            service: self.health.service().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            start_time: Some(timestamp(self.health.start_time())),
            ready: self.health.is_ready(),
            dependencies: self.health.dependencies().iter().map(Into::into).collect(),
            ..proto::Status::default()
        };
        // The report names things that a selector may hide.
        if Caller::of(&request)?.principal.selectors.is_everything() {
            self.report.add(&mut status);
        }
        Ok(Response::new(proto::GetStatusResponse { status: Some(status) }))
    }
}

impl From<&Dependency> for proto::Dependency {
    fn from(dependency: &Dependency) -> Self {
        Self {
            name: dependency.name.to_owned(),
            state: proto::DependencyState::from(dependency.state).into(),
            reason: dependency.reason.clone(),
            since_time: Some(timestamp(dependency.since)),
        }
    }
}

impl From<State> for proto::DependencyState {
    fn from(state: State) -> Self {
        match state {
            State::Starting => Self::Starting,
            State::Ok => Self::Ok,
            State::Failing => Self::Failing,
        }
    }
}
