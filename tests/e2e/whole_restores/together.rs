//! Two PostgreSQL databases, two SQLite files, a set of files and a service: planned, applied and rolled back as one.

use serde_json::Value;
use strongroom_testkit::TestDb;

use super::platform::Files;
use crate::dying_restores::databases::Target;
use crate::dying_restores::site::Site;
use crate::integrating::Gateway;

/// All parts of a platform.
pub(super) struct Everything {
    pub(super) site: Site,
    pub(super) files: Files,
    pub(super) gateway: Gateway,
    /// The backup service's database.
    pub(super) database: TestDb,
    pub(super) backup: String,
}

const USERS: &str = "SELECT group_concat(name, ',') FROM (SELECT name FROM users ORDER BY id)";

impl Everything {
    /// Makes a backup and then changes all sources. `None` without PostgreSQL or without Python's gRPC.
    pub(super) fn create() -> Option<Self> {
        let (first, second) = (TestDb::postgres()?, TestDb::postgres()?);
        let gateway = Gateway::start()?;
        let databases = [second, TestDb::sqlite(), first, TestDb::sqlite()];
        let databases = std::cell::RefCell::new(Vec::from(databases));
        let database = TestDb::sqlite();
        let mut site = Site::create(4, || databases.borrow_mut().pop().unwrap(), database.url_text());
        let mut files = Files::create("recordings");
        site.sources = format!("{}{}", files.configuration(), gateway.source());
        let backup = site.backed_up_and_changed();
        files.change();
        gateway.database.run("UPDATE users SET name = 'Eve' WHERE id = 1; DELETE FROM users WHERE id = 2");
        Some(Self { site, files, gateway, database, backup })
    }

    /// Whether each source is restored, in the order of the configuration.
    pub(super) fn are_restored(&self) -> [bool; 6] {
        let users = self.gateway.database.text(USERS);
        assert!(["Zoë,b", "Eve"].contains(&users.as_str()), "{users}");
        let of = |at: usize| self.site.targets[at].is_restored();
        [of(0), of(1), of(2), of(3), self.files.is_restored(), users == "Zoë,b"]
    }

    pub(super) fn has_ours(&self) -> bool {
        let staged = "SELECT count(*) FROM sqlite_schema WHERE name LIKE '\\_strongroom\\_%-%' ESCAPE '\\'";
        self.site.targets.iter().any(Target::has_ours)
            || self.files.has_ours()
            || self.gateway.database.number(staged) > 0
    }
}

fn steps<'a>(restore: &'a Value, source: &str) -> Vec<&'a str> {
    let steps = restore["steps"].as_array().unwrap().iter();
    steps.filter(|step| step["source"] == source).map(|step| step["step"].as_str().unwrap()).collect()
}

#[test]
fn everything_is_restored_as_one_and_taken_back_as_one() {
    let Some(all) = Everything::create() else { return };
    let replica = all.site.start(None);
    let plan = replica.operator.json(&["restore", "plan", &all.backup, "--mode", "replace"]);
    assert_eq!(
        (&plan["state"], &plan["confirm"]),
        (&"RESTORE_STATE_PLANNED".into(), &"dying".into()),
        "{plan}"
    );
    // The vault has no credentials yet, so it is restored too.
    let sources = ["vault", "s0", "s1", "s2", "s3", "recordings", "gateway"];
    assert_eq!(plan["sources"], serde_json::json!(sources));
    let sources = plan["plan"]["sources"].as_array().unwrap();
    let set = &sources.iter().find(|source| source["source"] == "recordings").unwrap()["files"];
    for (count, expected) in
        [("files", "3"), ("created", "1"), ("changed", "1"), ("deleted", "1"), ("kept", "1")]
    {
        assert_eq!(set[count], expected, "{count}: {set}");
    }
    let users = &sources.iter().find(|source| source["source"] == "gateway").unwrap()["tables"][0];
    assert_eq!((&users["created"], &users["changed"]), (&"1".into(), &"1".into()), "{users}");
    assert_eq!(all.are_restored(), [false; 6], "a plan changes nothing");
    assert!(!all.has_ours());

    let id = plan["id"].as_str().unwrap();
    let refused = replica.operator.run(&["restore", "apply", id, "--confirm", "s0"]);
    assert!(refused.code == Some(1) && refused.said().contains("dying"), "{}", refused.said());
    let applied = replica.operator.json(&["restore", "apply", id, "--confirm", "dying"]);
    assert_eq!(applied["state"], "RESTORE_STATE_APPLIED", "{applied}");
    assert_eq!(all.are_restored(), [true; 6]);
    for source in ["s0", "s3", "recordings", "gateway"] {
        assert_eq!(steps(&applied, source), ["staging", "staged", "swapping", "swapped"], "{source}");
    }
    let order: Vec<&str> =
        applied["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    let first_swap = order.iter().position(|step| *step == "swapping").unwrap();
    let last_stage = order.iter().rposition(|step| *step == "staged").unwrap();
    assert!(last_stage < first_swap, "everything is ready before the first swap: {order:?}");
    let safety = replica.operator.json(&["backup", "get", applied["safetyBackupId"].as_str().unwrap()]);
    assert_eq!(safety["content"]["files"], "3", "{safety}");

    let back = replica.operator.json(&["restore", "rollback", id, "--yes"]);
    assert_eq!(back["state"], "RESTORE_STATE_ROLLED_BACK", "{back}");
    assert_eq!(all.are_restored(), [false; 6], "{back}");
    assert!(!all.has_ours(), "{back}");

    let row = format!("{}=2", users["table"].as_str().unwrap());
    let plan = replica.operator.json(&["restore", "plan", &all.backup, "--mode", "merge", "--rows", &row]);
    assert_eq!(plan["sources"], serde_json::json!(["gateway"]), "{plan}");
    let id = plan["id"].as_str().unwrap();
    let _ = replica.operator.run(&["restore", "apply", id]).succeeded();
    assert_eq!(all.gateway.database.text(USERS), "Eve,b", "one row of a service");
    let row = row.replace("=2", "=77");
    let missing = replica.operator.run(&["restore", "plan", &all.backup, "--mode", "merge", "--rows", &row]);
    assert!(missing.code == Some(1) && missing.said().contains("[\"77\"]"), "{}", missing.said());
}

#[test]
fn a_rollback_that_one_source_refuses_changes_none() {
    let Some(all) = Everything::create() else { return };
    let replica = all.site.start(None);
    let id = replica.plan_of(&all.backup, "s0,s1,recordings,gateway");
    let _ = replica.operator.run(&["restore", "apply", &id, "--confirm", "dying"]).succeeded();
    std::fs::write(all.files.path().join("a/changed.txt"), "written since").unwrap();
    let refused = replica.operator.run(&["restore", "rollback", &id, "--yes"]);
    assert!(refused.code == Some(1) && refused.said().contains("changed.txt"), "{}", refused.said());
    all.site.targets[1].rename_an_owner();
    let refused = replica.operator.run(&["restore", "rollback", &id, "--yes"]);
    for changed in ["changed.txt", "table s1_owners of source s1", "all changes since then"] {
        assert!(refused.said().contains(changed), "{changed}: {}", refused.said());
    }
    let restore = replica.get(&id);
    assert_eq!(restore["state"], "RESTORE_STATE_APPLIED", "{restore}");
    assert!(all.site.targets[0].is_restored(), "{restore}");
    let done = replica.operator.json(&["restore", "rollback", &id, "--yes", "--discard-changes"]);
    assert_eq!(done["state"], "RESTORE_STATE_ROLLED_BACK", "{done}");
    assert!(!all.site.targets[0].is_restored() && !all.site.targets[1].is_restored(), "{done}");
}
