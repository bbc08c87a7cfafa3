//! `grpc.health.v1.Health`: follows [`Health`] for each service, and for the empty name, which stands for the process.

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::Health;

/// Publishes `health` under `services` and the empty name, now and at each change. Never ends.
///
/// Without it, the library would report SERVING for the empty name from the start.
pub(crate) async fn follow(health: Health, reporter: HealthReporter, services: &'static [&'static str]) {
    let mut changes = health.0.changes.subscribe();
    loop {
        let status = if health.is_ready() { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in services.iter().copied().chain([""]) {
            reporter.set_service_status(name, status).await;
        }
        // Cannot fail: the sender is in `health`.
        let _ = changes.changed().await;
    }
}
