//! Each program: start, serve, SIGTERM, a clean end.

use std::time::{Duration, Instant};

use e2e::{Deployment, Dev};
use strongroom_api::backup::v1::backup_service_client::BackupServiceClient;
use strongroom_runtime::client::{Bearer, Target};
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

/// An upload that does not go on keeps the service from its end, until somebody asks twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_process_at_once() {
    let mut dev = Dev::start("");
    let target = Target { url: dev.admin.backup_url.clone(), ..Target::default() };
    let channel = target.authorized(Bearer::new(&dev.admin.token).unwrap()).unwrap();
    let mut client = BackupServiceClient::new(channel);
    let upload = tokio::spawn(async move { client.verify_backup(tokio_stream::pending()).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    dev.service.signal("HUP");
    dev.service.signal("TERM");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!upload.is_finished(), "SIGHUP or the first SIGTERM ended it");
    let begun = Instant::now();
    dev.service.signal("TERM");
    assert_eq!(dev.service.wait_until_ended().code(), Some(143), "{}", dev.service.log());
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
