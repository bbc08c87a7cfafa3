//! A process dies during an export: no transaction stays open, and the log records the outcome.
//!
//! No timing decides whether the export is still running: the archive goes to a pipe that nobody reads, so the client
//! stalls, then the stream, then the snapshot, which stays open until a process ends it.

use std::time::Duration;

use e2e::{Deployment, Operator, PATIENCE, Unread, bulk_table, eventually, long, source, start_unread};
use serde_json::Value;
use strongroom_testkit::TestDb;

/// Enough rows that their compressed data exceeds all buffers on the way.
const ROWS: u64 = 300_000;

struct Scene {
    db: TestDb,
    _vault_database: TestDb,
    deployment: Deployment,
}

impl Scene {
    /// `None` without PostgreSQL.
    fn set() -> Option<Self> {
        let db = TestDb::postgres()?;
        bulk_table(&db, ROWS);
        let vault_database = TestDb::sqlite();
        let deployment = Deployment::start(vault_database.url_text(), &source("gateway", &db, &[]));
        Some(Self { db, _vault_database: vault_database, deployment })
    }

    /// Number of clients in a transaction on the exported database, without the querying one. (The server's own
    /// autovacuum has transactions too.)
    fn open_transactions(&self) -> i64 {
        self.db.number(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND xact_start IS NOT NULL",
        )
    }

    /// A stalled client in the middle of an export.
    fn stalled_export(&self, operator: &Operator) -> Unread {
        let before = operator.events("backup.export_started").len();
        let client = start_unread(&mut operator.command(&["backup", "export", "--plain", "--out", "-"]));
        eventually("the export has begun", PATIENCE, || {
            (operator.events("backup.export_started").len() > before && self.open_transactions() > 0)
                .then_some(())
        });
        // Wait for the buffers to fill, so that the reading of the table stalls.
        std::thread::sleep(Duration::from_secs(1));
        assert_ne!(self.open_transactions(), 0, "the export is not over yet");
        client
    }

    fn assert_nothing_open_soon(&self) {
        eventually("no transaction is open", PATIENCE, || (self.open_transactions() == 0).then_some(()));
    }

    /// The newest export's end event, once every start has one.
    fn last_end(&self) -> Value {
        let admin = &self.deployment.admin;
        eventually("each start has its end", PATIENCE, || {
            let started = admin.events("backup.export_started");
            let ended = admin.events("backup.exported");
            assert!(ended.len() <= started.len(), "{ended:?}");
            (ended.len() == started.len()).then(|| ended[0].clone())
        })
    }
}

fn rounds() -> usize {
    if long() { 10 } else { 2 }
}

#[test]
fn a_killed_client_leaves_no_transaction_and_an_aborted_event() {
    let Some(scene) = Scene::set() else { return };
    for _ in 0..rounds() {
        scene.stalled_export(&scene.deployment.admin).kill();
        scene.assert_nothing_open_soon();
        assert_eq!(scene.last_end()["outcome"], "AUDIT_OUTCOME_ABORTED");
    }
}

#[test]
fn a_killed_service_leaves_an_unknown_event_after_its_next_start() {
    let Some(mut scene) = Scene::set() else { return };
    for _ in 0..rounds() {
        let client = scene.stalled_export(&scene.deployment.admin);
        let ended_before = scene.deployment.admin.events("backup.exported").len();
        scene.deployment.backup.kill();
        scene.assert_nothing_open_soon();
        assert_eq!(
            scene.deployment.admin.events("backup.exported").len(),
            ended_before,
            "nobody could tell yet"
        );
        let said = client.finish(Duration::from_secs(20)).failed_with(4);
        assert!(said.contains("backup service"), "half an archive is a failure for its client: {said}");
        scene.deployment.restart_backup();
        let end = scene.last_end();
        assert_eq!(end["outcome"], "AUDIT_OUTCOME_UNKNOWN", "{end}");
    }
    let _ = scene.deployment.admin.json(&["source", "list"]);
}

#[test]
fn a_vault_that_dies_in_the_middle_fails_the_export() {
    let Some(mut scene) = Scene::set() else { return };
    let client = scene.stalled_export(&scene.deployment.admin);
    scene.deployment.vault.kill();
    // Now all data can flow again.
    let said = client.finish(Duration::from_secs(60)).failed_with(4);
    assert!(said.contains("vault"), "an export that is not in the log is no export: {said}");
    scene.assert_nothing_open_soon();
    scene.deployment.restart_vault();
    let out = scene.deployment.path("after.zip");
    let _ = scene.deployment.admin.json(&["backup", "export", "--plain", "--out", out.to_str().unwrap()]);
}
