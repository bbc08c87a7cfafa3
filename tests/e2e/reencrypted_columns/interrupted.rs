//! A re-encryption beside a writer: the process dies in the middle, a client leaves, and the next run continues with
//! the remaining values. No write is lost, every value opens, and the old version is no longer needed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use e2e::{eventually, long};
use strongroom_testkit::TestDb;

use super::gateway::{Gateway, number};
use super::writer::write;
use crate::dying_restores::restoring::DECLARED;

/// The failpoint at which the process dies.
pub(super) const PLACE: &str = "reencrypt.batch";
const REENCRYPT: [&str; 3] = ["source", "reencrypt", "gateway"];

fn servers() -> i64 {
    if long() { 100_000 } else { 4_000 }
}

/// Ends the writer even if the test fails; otherwise the scope would wait for its thread for ever.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn follows_a_rotation(database: TestDb) {
    let mut gateway = Gateway::create(database, servers());
    let (old, new) = gateway.rotate();
    // During this time, another process of the vault may still seal with the old version.
    std::thread::sleep(Duration::from_secs(5));
    let stop = AtomicBool::new(false);
    let last = std::thread::scope(|scope| {
        let (database, admin) = (&gateway.database, &gateway.site.deployment.admin);
        let writing = scope.spawn(|| write(database, admin, servers(), &stop));
        let stopping = StopAtEnd(&stop);
        interrupted(&gateway, &old);
        let replica = gateway.site.start(None);
        let began = Instant::now();
        let done = replica.operator.issue("operator").json(&REENCRYPT);
        let (seconds, values) = (began.elapsed().as_secs_f64(), number(&done["valuesDone"]));
        assert_eq!((&done["done"], number(&done["valuesLeft"])), (&serde_json::json!(true), 0), "{done}");
        assert_eq!(gateway.stored(&old), 0, "{done}");
        #[expect(clippy::print_stderr, reason = "the figure is what a long run is for")]
        {
            eprintln!("{values} values in {seconds:.1} s beside a writer");
        }
        drop(stopping);
        writing.join().unwrap()
    });
    assert!(last.len() > 100, "the writer has written {} rows", last.len());
    gateway.assert_open(|id| last.get(&id).cloned().unwrap_or_else(|| format!("{id}-0")));
    assert!(gateway.stored(&new) >= servers());
    is_over(&gateway, &old);
}

/// The process dies, and in the next run a client leaves.
fn interrupted(gateway: &Gateway, old: &str) {
    let whole = gateway.stored(old);
    gateway.site.start(Some("reencrypt.batch#2")).dies_during(&REENCRYPT);
    let after_death = gateway.stored(old);
    assert!((1..whole).contains(&after_death), "{after_death} of {whole} are left");
    let mut replica = gateway.site.start(None);
    let mut running = replica.spawn(&[&REENCRYPT[..], &["--rate", "400"]].concat());
    let admin = &gateway.site.deployment.admin;
    eventually("a slow run has begun", DECLARED, || {
        (admin.events("source.reencrypt_started").len() == 2).then_some(())
    });
    running.kill().unwrap();
    let _ = running.wait();
    eventually("the end of a run whose client left is recorded", DECLARED, || {
        let ended = admin.events("source.reencrypted");
        ended.iter().any(|event| event["outcome"] == "AUDIT_OUTCOME_ABORTED").then_some(())
    });
    assert!(gateway.stored(old) > 0);
    replica.service.kill();
}

/// Asserts that the census has no value of the old version, and that every start event has an end event.
fn is_over(gateway: &Gateway, old: &str) {
    assert_eq!(gateway.census(old), 0);
    let admin = &gateway.site.deployment.admin;
    let disabled = admin.json(&["key", "disable", old]);
    assert_eq!(disabled["state"], "disabled");
    let count = |name: &str| admin.events(name).len();
    assert_eq!(count("source.reencrypt_started"), 3);
    let _replica = gateway.site.start(None);
    eventually("each beginning has its end", DECLARED, || (count("source.reencrypted") == 3).then_some(()));
    assert!(gateway.database.number("SELECT count(*) FROM touched") >= servers(), "triggers run");
}

#[test]
fn sealed_columns_of_sqlite_follow_a_rotation_beside_a_writer() {
    follows_a_rotation(TestDb::sqlite());
}

#[test]
fn sealed_columns_of_postgres_follow_a_rotation_beside_a_writer() {
    let Some(database) = TestDb::postgres() else { return };
    follows_a_rotation(database);
}
