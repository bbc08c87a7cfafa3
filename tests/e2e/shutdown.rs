//! Each program: start, serve, SIGTERM, a clean end.

use std::time::{Duration, Instant};

use e2e::{Deployment, Dev};
use strongroom_runtime::shutdown::DRAIN;
use strongroom_testkit::TestDb;

/// No call is running, so the drain time (20 s) must not pass. Half of it leaves room for a machine under load.
const SOON: Duration = Duration::from_secs(DRAIN.as_secs() / 2);

#[test]
fn dev_stops_on_sigterm() {
    let mut dev = Dev::start("");
    assert!(dev.service.output().lines().any(|line| line == "ready"));
    let begun = Instant::now();
    assert_eq!(dev.stop().code(), Some(0), "{}", dev.service.log());
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn the_two_programs_stop_on_sigterm() {
    let vault_database = TestDb::sqlite();
    let mut deployment = Deployment::start(vault_database.url_text(), "");
    for service in [&mut deployment.backup, &mut deployment.vault] {
        let begun = Instant::now();
        let status = service.terminate();
        assert_eq!(status.code(), Some(0), "{}", service.log());
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    }
}
