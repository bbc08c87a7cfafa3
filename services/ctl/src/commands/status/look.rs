//! The current state of one service.

use std::time::Duration;

use strongroom_api::status::v1 as proto;
use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::client::{Connection, Service};

/// Time limit for a service's answer. A service waits five seconds for an unavailable database before it reports that.
const PATIENCE: Duration = Duration::from_secs(8);

/// State of a service, as seen by the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Ready,
    /// It answers, but lacks a dependency.
    NotReady,
    /// It may be ready, but refuses this token.
    Refused,
    Unreachable,
}

impl Found {
    /// The name in the JSON document.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::NotReady => "NOT_READY",
            Self::Refused => "REFUSED",
            Self::Unreachable => "UNREACHABLE",
        }
    }

    /// The name for people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NotReady => "not ready",
            Self::Refused => "refused",
            Self::Unreachable => "not reachable",
        }
    }
}

/// One service.
pub(super) struct Look {
    /// `vault` or `backup`.
    pub(super) name: &'static str,
    pub(super) url: String,
    pub(super) found: Found,
    /// A sentence; empty when it is ready.
    pub(super) problem: String,
    /// The service's own status, if it gave one.
    pub(super) status: Option<proto::Status>,
}

/// Asks a service for its status. A service that cannot check the token, because it lacks the dependencies for that,
/// still tells everybody whether it is ready.
pub(super) async fn look(service: &Connection) -> Look {
    let name = match service.service() {
        Service::Vault => "vault",
        Service::Backup => "backup",
    };
    let answer = service.status().get_status(limited(proto::GetStatusRequest {})).await;
    let (found, problem, status) = match answer {
        Ok(answer) => {
            let status = answer.into_inner().status.unwrap_or_default();
            match status.service == name {
                true => judge(service, status),
                false => (Found::NotReady, mistaken(service, &status.service), Some(status)),
            }
        }
        Err(status) => {
            let (found, problem) = unanswered(service, &status).await;
            (found, problem, None)
        }
    };
    Look { name, url: service.url().to_owned(), found, problem, status }
}

fn judge(service: &Connection, status: proto::Status) -> (Found, String, Option<proto::Status>) {
    if status.ready {
        return (Found::Ready, String::new(), Some(status));
    }
    let ok = i32::from(proto::DependencyState::Ok);
    let failing = status.dependencies.iter().filter(|dependency| dependency.state != ok);
    let reasons: Vec<String> = failing
        .map(|dependency| match dependency.reason.as_str() {
            "" => format!("{} is starting", dependency.name),
            reason => format!("{}: {reason}", dependency.name),
        })
        .collect();
    let why = if reasons.is_empty() { "it is stopping".to_owned() } else { reasons.join(", ") };
    let problem = format!("{} at {} is not ready ({why})", service.service().name(), service.url());
    (Found::NotReady, problem, Some(status))
}

/// The two addresses are easily swapped, and the other service is ready too.
fn mistaken(service: &Connection, found: &str) -> String {
    let (wanted, url) = (service.service().name(), service.url());
    let variable = service.service().variable();
    format!("the service at {url} is {found:?}, not {wanted}: set {variable} to its address")
}

async fn unanswered(service: &Connection, status: &Status) -> (Found, String) {
    let sentence = service.failed(status).to_string();
    let health = service.health().check(limited(HealthCheckRequest { service: String::new() })).await;
    match health.map(|answer| answer.into_inner().status()) {
        Ok(ServingStatus::Serving) => (Found::Refused, sentence),
        Ok(_) => {
            let (name, url) = (service.service().name(), service.url());
            (Found::NotReady, format!("{name} at {url} is not ready ({sentence})"))
        }
        Err(_) => (Found::Unreachable, sentence),
    }
}

fn limited<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(PATIENCE);
    request
}
