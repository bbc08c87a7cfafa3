//! Processes that die during table imports: at every failpoint, either all rows or none have been imported, and nothing
//! of ours is left. The next import works once the dead process's import is settled.

use e2e::eventually;
use serde_json::Value;
use strongroom_testkit::TestDb;

use super::databases::Target;
use super::restoring::DECLARED;
use super::site::{Replica, Site};

/// Failpoints in the order in which a process reaches them, and whether the rows have been imported by then.
pub(crate) const IMPORTING: [(&str, bool); 7] = [
    ("import.reserved", false),
    ("import.staging", false),
    ("import.loaded", false),
    ("import.staged", false),
    ("import.swapped", true),
    ("import.recorded", true),
    ("import.settled", true),
];

/// Exports the target's tables by their archive names, before it loses one of the rows.
fn document(replica: &Replica, site: &Site, target: &Target) -> String {
    let tables = format!("{0}_owners,{0}_things", target.source);
    let exported = replica.operator.run(&["tables", "export", "--tables", &tables, "--out", "-"]).succeeded();
    let file = site.deployment.path(&format!("{}.json", target.source));
    std::fs::write(&file, exported.text()).unwrap();
    file.to_str().unwrap().to_owned()
}

fn dies(database: impl Fn() -> TestDb) {
    let site = Site::create(IMPORTING.len(), database, "");
    let mut first = site.start(None);
    let documents: Vec<String> = site.targets.iter().map(|target| document(&first, &site, target)).collect();
    first.service.kill();
    site.targets.iter().for_each(Target::lose_a_thing);
    for ((place, _), document) in IMPORTING.iter().zip(&documents) {
        site.start(Some(place)).dies_during(&["tables", "import", document]);
    }
    let replica = site.start(None);
    for (((place, has_come), target), document) in IMPORTING.iter().zip(&site.targets).zip(&documents) {
        eventually(place, DECLARED, || (!target.has_ours()).then_some(()));
        assert_eq!(target.has_all_things(), *has_come, "{place}");
        let again = eventually(place, DECLARED, || imported(&replica, document));
        let created = |table: usize| again["tables"][table]["created"].as_str().unwrap_or("0").to_owned();
        assert_eq!(
            (created(0), created(1)),
            ("0".into(), if *has_come { "0".into() } else { "1".into() }),
            "{place}: {again}"
        );
        assert!(target.has_all_things() && !target.has_ours(), "{place}");
    }
    let count = |name: &str| site.deployment.admin.events(name).len();
    eventually("each beginning has its end", DECLARED, || {
        (count("tables.import_started") == count("tables.imported")).then_some(())
    });
    let events = site.deployment.admin.events("tables.imported");
    let done = events.iter().filter(|event| event["outcome"] == "AUDIT_OUTCOME_SUCCESS").count();
    let have_come = IMPORTING.iter().filter(|(_, has_come)| *has_come).count();
    assert_eq!(done, have_come + IMPORTING.len(), "what was applied is recorded as done: {events:?}");
}

/// `None` while the dead process's import still reserves the source.
fn imported(replica: &Replica, document: &str) -> Option<Value> {
    let done = replica.operator.run(&["tables", "import", document, "-o", "json"]);
    (!done.said().contains("TARGET_BUSY")).then(|| done.succeeded().json())
}

#[test]
fn an_import_into_sqlite_is_all_or_nothing_wherever_a_process_dies() {
    dies(TestDb::sqlite);
}

#[test]
fn an_import_into_postgres_is_all_or_nothing_wherever_a_process_dies() {
    let Some(first) = TestDb::postgres() else { return };
    drop(first);
    dies(|| TestDb::postgres().unwrap());
}
