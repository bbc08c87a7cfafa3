//! For each program: start, calls, SIGTERM, a clean end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use e2e::{Deployment, Dev, Operator, PATIENCE, eventually, random_table, source, start_unread};
use strongroom_api::backup::v1::backup_service_client::BackupServiceClient;
use strongroom_api::vault::v1::RevealCredentialRequest;
use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_runtime::client::{Bearer, Target};
use strongroom_runtime::shutdown::DRAIN;
use strongroom_testkit::TestDb;

/// No call is running, so the program must not wait for the drain time (20 s). Half of it leaves room for a machine
/// under load.
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

/// A stalled upload keeps the service from ending until the second signal.
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

/// Ten exports that nobody reads yet, and reveals without a pause, when both services are stopped.
#[test]
fn nothing_acknowledged_is_lost_at_a_stop_under_load() {
    let (database, big) = (TestDb::sqlite(), TestDb::sqlite());
    random_table(&big);
    let mut deployment = Deployment::start(database.url_text(), &source("big", &big, &[]));
    let admin = deployment.admin.clone();
    let id = admin.create_credential("One", "openai", b"sk-live-0123456789abcdef");
    let exports: Vec<_> = (0..10)
        .map(|_| start_unread(&mut admin.command(&["backup", "export", "--plain", "--out", "-"])))
        .collect();
    let started = || admin.json(&["audit", "list", "--event", "backup.export_started"]);
    eventually("ten exports", PATIENCE, || (started().as_array()?.len() == 10).then_some(()));
    let (revealing, stop) = reveal_until_stopped(&admin, &id);
    std::thread::sleep(Duration::from_secs(1));

    // Half of the clients continue reading, the others read nothing until the end.
    let mut reading = exports;
    let silent = reading.split_off(5);
    let reading: Vec<_> =
        reading.into_iter().map(|export| std::thread::spawn(move || export.finish(PATIENCE))).collect();
    for service in [&mut deployment.backup, &mut deployment.vault] {
        let begun = Instant::now();
        let status = service.terminate();
        assert_eq!(status.code(), Some(0), "{}", service.log());
        assert!(begun.elapsed() < DRAIN + Duration::from_secs(3), "{:?}", begun.elapsed());
    }
    let log = deployment.backup.log();
    let (ended, cut) = (log.find("SHUTTING_DOWN"), log.find("after the drain time"));
    assert!(ended.is_some() && ended < cut, "exports are ended before anything is cut: {log}");
    stop.store(true, Ordering::Relaxed);
    let acknowledged = revealing.join().unwrap();
    for export in reading {
        let ended = export.join().unwrap();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    for export in silent {
        let ended = export.finish(PATIENCE);
        assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    }
    assert!(acknowledged > 0);
    deployment.restart_vault();
    let recorded = |event: &str| admin.json(&["audit", "list", "--event", event]).as_array().unwrap().len();
    assert!(recorded("credential.revealed") >= acknowledged, "{acknowledged} reveals were answered");
    let ends = admin.events("backup.exported");
    let of = |outcome: &str| ends.iter().filter(|event| event["outcome"] == outcome).count();
    let outcomes = (of("AUDIT_OUTCOME_SUCCESS"), of("AUDIT_OUTCOME_FAILED"), ends.len());
    assert_eq!(outcomes, (5, 5, 10), "each export that began has its end in the audit log: {ends:?}");
    let verified = admin.run(&["audit", "verify"]);
    assert_eq!(verified.code, Some(0), "{}", verified.said());
}

/// Reveals over one connection and counts the answers.
fn reveal_until_stopped(admin: &Operator, id: &str) -> (JoinHandle<usize>, Arc<AtomicBool>) {
    let target = Target { url: admin.vault_url.clone(), ..Target::default() };
    let (bearer, id, stop) =
        (Bearer::new(&admin.token).unwrap(), id.to_owned(), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let revealing = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let mut client = CredentialServiceClient::new(target.authorized(bearer).unwrap());
            let mut acknowledged = 0;
            while !stopped.load(Ordering::Relaxed) {
                let request = RevealCredentialRequest { id: id.clone(), ..Default::default() };
                match client.reveal_credential(request).await {
                    Ok(_) => acknowledged += 1,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
            acknowledged
        })
    });
    (revealing, stop)
}
