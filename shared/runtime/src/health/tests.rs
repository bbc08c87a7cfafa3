#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::advance;

use super::*;
use crate::clock::SystemClock;

/// A check that succeeds, or hangs for ever.
struct Switch(AtomicBool);

#[async_trait]
impl Check for Switch {
    async fn check(&self) -> Result<(), Fault> {
        if !self.0.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

struct Broken;

#[async_trait]
impl Check for Broken {
    async fn check(&self) -> Result<(), Fault> {
        Err(Fault::Own("bro\u{1b}ken".into()))
    }
}

fn health(names: &[&'static str]) -> Health {
    Health::new("test", names, Arc::new(SystemClock))
}

#[tokio::test(start_paused = true)]
async fn a_dependency_that_hangs_is_found_in_time_and_delays_no_other() {
    let (health, switch) = (health(&["a", "b"]), Arc::new(Switch(AtomicBool::new(true))));
    assert!(!health.is_ready(), "nothing was looked at yet");
    let other = Arc::new(Switch(AtomicBool::new(true)));
    let _tasks = health.watch(vec![("a", switch.clone()), ("b", other)], &Shutdown::new());
    health.known_once().await;
    assert!(health.is_ready());
    switch.0.store(false, Ordering::Relaxed);
    tokio::time::sleep(PERIOD + PATIENCE + Duration::from_millis(10)).await;
    let states: Vec<State> = health.dependencies().iter().map(|dependency| dependency.state).collect();
    assert_eq!(states, [State::Failing, State::Ok]);
    assert!(
        PERIOD + PATIENCE + PERIOD < Duration::from_secs(4),
        "through another service, with a second to spare"
    );
    switch.0.store(true, Ordering::Relaxed);
    advance(PERIOD + PATIENCE).await;
    tokio::time::sleep(PERIOD).await;
    assert!(health.is_ready());
}

#[tokio::test]
async fn a_reason_is_printable_and_goes_with_the_failure() {
    let health = health(&["a"]);
    health.look("a", &Broken).await;
    assert_eq!(health.dependencies()[0].reason, "bro\\u{1b}ken");
    let since = health.dependencies()[0].since;
    health.look("a", &Broken).await;
    assert_eq!(health.dependencies()[0].since, since, "the state is dated, not the look");
    health.look("a", &Switch(AtomicBool::new(true))).await;
    assert_eq!(health.dependencies()[0].reason, "");
    assert!(health.is_ready());
    health.stop();
    assert!(!health.is_ready(), "a process that stops takes no new work");
}

#[tokio::test]
async fn the_empty_name_begins_as_not_serving_and_follows() {
    use tonic_health::pb::health_server::Health as _;
    let health = health(&["a"]);
    let (reporter, service) = tonic_health::server::health_reporter();
    drop(service);
    let served = tonic_health::server::HealthService::from_health_reporter(reporter.clone());
    tokio::spawn(follow(health.clone(), reporter, &["x.Service"]));
    tokio::task::yield_now().await;
    for ready in [false, true, false] {
        match ready {
            true => health.look("a", &Switch(AtomicBool::new(true))).await,
            false => health.look("a", &Broken).await,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        for name in ["", "x.Service"] {
            let request = tonic_health::pb::HealthCheckRequest { service: name.into() };
            let answer = served.check(tonic::Request::new(request)).await.unwrap().into_inner();
            assert_eq!(answer.status, if ready { 1 } else { 2 }, "{name:?} {ready}");
        }
    }
}
