//! A writer is active during an export: the archive shows a single moment, whatever happens afterwards.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use e2e::{Archive, Dev, source};
use serde_json::Value;
use strongroom_testkit::TestDb;

const ACCOUNTS: i64 = 40_000;
const WORTH: i64 = 100;

/// Moves worth between rows, and rows between tables, each in one transaction: the numbers of rows and the total over
/// both tables never change.
fn shuffle(step: u64) -> String {
    let a = 1 + step * 7919 % 39_000;
    let b = a + 500;
    let renewed = a + 1_000_000 * (step + 1);
    format!(
        "BEGIN;
         UPDATE live SET worth = worth - 7 WHERE id = {a};
         UPDATE kept SET worth = worth + 7 WHERE id = {b}
             AND EXISTS (SELECT 1 FROM live WHERE id = {a});
         UPDATE live SET worth = worth + 7 WHERE id = {a}
             AND NOT EXISTS (SELECT 1 FROM kept WHERE id = {b});
         INSERT INTO live SELECT {renewed}, worth, note FROM live WHERE id = {a} + 250;
         DELETE FROM live WHERE id = {a} + 250;
         COMMIT;"
    )
}

fn create(db: &TestDb) {
    if db.file().is_some() {
        db.run("PRAGMA journal_mode = wal");
    }
    let note = "'a note that is long enough for the export to take a while, and then some more of it'";
    for table in ["live", "kept"] {
        db.run(&format!(
            "CREATE TABLE {table} (id BIGINT PRIMARY KEY, worth BIGINT NOT NULL, note TEXT NOT NULL);
             INSERT INTO {table} WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ACCOUNTS})
             SELECT i, {WORTH}, {note} FROM n;"
        ));
    }
}

fn rows(archive: &Archive, table: &str) -> Vec<Value> {
    archive.json(&format!("tables/{table}.json")).as_array().unwrap().clone()
}

#[test]
fn rows_written_during_an_export_never_tear_it() {
    for db in TestDb::each() {
        create(&db);
        let dev = Dev::start(&source("bank", &db, &[]));
        let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    db.run(&shuffle(done.fetch_add(1, Ordering::SeqCst)));
                }
            });
            let _stop = StopAtEnd(&stop);
            for round in 0..3 {
                let before = done.load(Ordering::SeqCst);
                let out = dev.path(&format!("{round}.zip"));
                let _ = dev.admin.json(&["backup", "export", "--plain", "--out", out.to_str().unwrap()]);
                assert!(done.load(Ordering::SeqCst) > before + 1, "nobody wrote during the export");
                check(&dev, &Archive::at(&out));
            }
        });
    }
}

/// Ends the writer even if the test fails; otherwise the scope would wait for its thread for ever.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn check(dev: &Dev, archive: &Archive) {
    let verified = dev.admin.json(&["archive", "verify", archive.path.to_str().unwrap()]);
    let mut total = 0;
    for table in ["live", "kept"] {
        let rows = rows(archive, table);
        assert_eq!(verified["tables"][table], ACCOUNTS.to_string());
        assert_eq!(rows.len() as i64, ACCOUNTS, "{table}");
        let mut ids: Vec<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len() as i64, ACCOUNTS, "{table}: an id is there twice");
        total += rows.iter().map(|row| row["worth"].as_i64().unwrap()).sum::<i64>();
    }
    assert_eq!(total, 2 * ACCOUNTS * WORTH);
}
