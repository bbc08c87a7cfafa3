//! A vault and a database that are restored together, each with an archived and a changed state that tests can tell
//! apart.

use e2e::{Operator, eventually, long};
use serde_json::Value;
use strongroom_testkit::TestDb;

use super::places::{Fate, Place};
use crate::dying_restores::restoring::DECLARED;
use crate::dying_restores::site::{Replica, Site, is_settled};

pub(super) struct Scene {
    pub(super) site: Site,
    backup: String,
    /// Ids of the credentials that were rotated or deleted after the backup, and that the plan revives.
    revived: [String; 2],
    /// The vault's rows before and after a restore.
    old: String,
    new: String,
}

impl Scene {
    /// Makes a backup and then changes vault and database.
    pub(super) fn create(database: impl Fn() -> TestDb) -> Self {
        let site = Site::create_with(database(), tempfile::tempdir().unwrap(), 1, &database, "");
        let admin = &site.deployment.admin;
        let [rotated, deleted, _same] = ["Rotated", "Deleted", "Same"]
            .map(|name| admin.create_credential(name, "openai", b"sk-archived-1"));
        let _ = admin.run(&["reference", "bind", "endpoint", "chat", &rotated]).succeeded();
        let new = rows(&site.vault_database);
        let backup = site.backed_up_and_changed();
        let rotate = ["credential", "rotate", &rotated, "--secret-file", "-"];
        let _ = admin.feed(&rotate, b"sk-rotated-2").succeeded();
        let _ = admin.run(&["credential", "delete", "--yes", &deleted]).succeeded();
        let since = admin.create_credential("Since", "openai", b"sk-since-3");
        let _ = admin.run(&["reference", "bind", "endpoint", "chat", &since]).succeeded();
        let _ = admin.run(&["reference", "bind", "endpoint", "newer", &since]).succeeded();
        let old = rows(&site.vault_database);
        Self { site, backup, revived: [rotated, deleted], old, new }
    }

    pub(super) fn plan(&self, replica: &Replica) -> String {
        let [rotated, deleted] = &self.revived;
        let plan = ["restore", "plan", &self.backup, "--mode", "replace", "--sources", "s0,vault"];
        let restore =
            replica.operator.json(&[plan.as_slice(), &["--revive", rotated, "--revive", deleted]].concat());
        assert_eq!(restore["state"], "RESTORE_STATE_PLANNED", "{restore}");
        restore["id"].as_str().unwrap().to_owned()
    }

    /// Whether both have the archive's rows; a mixture fails the test.
    pub(super) fn is_new(&self) -> bool {
        let (vault, database) = (rows(&self.site.vault_database), self.site.targets[0].is_restored());
        assert!(vault == self.old || vault == self.new, "{vault}\nbefore: {}\nafter: {}", self.old, self.new);
        assert_eq!(vault == self.new, database, "vault and database are not of one time");
        database
    }

    /// Waits until the restore is settled, checks the rows, and rolls it back if it was applied.
    pub(super) fn ends(&self, place: &str, replica: &Replica, (id, fate): (&str, Fate)) {
        eventually(&format!("{place}: it is settled"), DECLARED, || {
            is_settled(&replica.get(id)).then_some(())
        });
        let restore = replica.get(id);
        assert_eq!(restore["state"], fate.state(), "{place}: {restore}");
        assert_eq!(self.is_new(), fate == Fate::New, "{place}: {restore}");
        self.is_in_order(place, (id, fate));
        if fate == Fate::New {
            let back = replica.operator.json(&["restore", "rollback", id, "--yes"]);
            assert_eq!(back["state"], Fate::Back.state(), "{place}: {back}");
            assert!(!self.is_new(), "{place}: {back}");
            self.is_in_order(place, (id, Fate::Back));
        }
    }

    fn is_in_order(&self, place: &str, (id, fate): (&str, Fate)) {
        let (admin, vault) = (&self.site.deployment.admin, &self.site.vault_database);
        assert_eq!(admin.json(&["audit", "verify"])["ok"], true, "{place}");
        let of_restore = |events: Vec<Value>| events.iter().filter(|event| event["target"] == id).count();
        let applied = of_restore(admin.events("restore.applied"));
        assert_eq!(applied, usize::from(fate != Fate::Old), "{place}: the grant commits once");
        let taken_back = of_restore(admin.events("restore.taken_back"));
        assert_eq!(taken_back, usize::from(fate == Fate::Back), "{place}: and is undone once");
        let open = "SELECT count(*) FROM restore_stages WHERE state IN ('staging', 'staged')";
        assert_eq!(vault.number(open), 0, "{place}: a stage is left");
        let rows = format!("SELECT count(*) FROM restore_rows WHERE stage_id = '{id}'");
        assert_eq!(vault.number(&rows) > 0, fate == Fate::New, "{place}: rows of a stage are left");
    }
}

/// The vault's rows without the columns that no restore sets: etags, MACs and the last use.
fn rows(database: &TestDb) -> String {
    let gather = if database.file().is_some() { "group_concat" } else { "string_agg" };
    let all = [
        "id || ' ' || preview || ' ' || secret_time || ' ' || active AS line FROM credentials",
        "credential_id || ' ' || preview AS line FROM credential_versions",
        "consumer || ' ' || coalesce(credential_id, '-') AS line FROM credential_references",
        "id AS line FROM credential_tombstones",
    ];
    let of = |lines: &str| {
        let list = format!("SELECT {lines} ORDER BY 1");
        database.text(&format!("SELECT coalesce({gather}(line, ', '), '') FROM ({list}) AS lines"))
    };
    all.map(of).join(" / ")
}

/// A selection of `places` in the short form.
pub(super) fn tried(places: &[Place]) -> Vec<Place> {
    places.iter().copied().filter(|place| long() || place.is_short).collect()
}

/// The arguments of the command that reaches the failpoint.
pub(super) fn command<'a>(place: &Place, id: &'a str) -> Vec<&'a str> {
    if place.rolls_back { vec!["restore", "rollback", id, "--yes"] } else { apply(id) }
}

/// With several sources, the confirmation is the application's name.
pub(super) fn apply(id: &str) -> Vec<&str> {
    vec!["restore", "apply", id, "--confirm", "dying"]
}

/// Applies the restore without interference.
pub(super) fn applied(operator: &Operator, id: &str) {
    let _ = operator.run(&apply(id)).succeeded();
}
