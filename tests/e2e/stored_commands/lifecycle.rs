//! A backup from its creation to its purge: text, `-o json`, exit codes.

use std::time::Duration;

use e2e::{eventually, int64};
use serde_json::json;

use super::{Storing, id_of};

#[test]
fn each_command_prints_the_backup_as_it_is_then() {
    let storing = Storing::in_folders(&["local", "offsite"]);
    let admin = storing.admin();
    let estimate = admin.json(&["backup", "estimate"]);
    assert!(int64(&estimate["bytes"]) > 0 && estimate["likelyBytes"] == "0", "{estimate}");
    let sources: Vec<_> = estimate["sources"].as_array().unwrap().iter().map(|one| &one["source"]).collect();
    assert!(sources.contains(&&json!("gateway")), "{estimate}");

    let begun = admin.json(&["backup", "create", "--no-wait"]);
    assert_eq!(begun["state"], "BACKUP_STATE_CREATING");
    let id = id_of(&begun);
    let watched = admin.json(&["backup", "watch", &id]);
    assert_eq!(watched["state"], "BACKUP_STATE_AVAILABLE");
    assert_eq!(watched["selection"]["seal"], "configured");
    for (copy, name) in watched["copies"].as_array().unwrap().iter().zip(["local", "offsite"]) {
        assert_eq!(
            (&copy["destination"], &copy["state"]),
            (&json!(name), &json!("BACKUP_COPY_STATE_STORED"))
        );
        assert!(copy["key"].as_str().unwrap().contains(&id), "{copy}");
    }
    let [file, _] = storing.files("local", &id);
    assert_eq!(
        int64(&watched["content"]["sizeBytes"]),
        i64::try_from(file.metadata().unwrap().len()).unwrap()
    );
    assert_eq!(storing.get(&id), watched);
    assert_eq!(admin.json(&["backup", "list"]), json!([watched]));
    assert_eq!(
        int64(&admin.json(&["backup", "estimate"])["likelyBytes"]),
        int64(&watched["content"]["sizeBytes"])
    );

    let verdict = admin.json(&["backup", "verify", &id, "--destination", "offsite"]);
    assert_eq!((&verdict["ok"], &verdict["archiveId"]), (&json!(true), &json!(id)));
    let verified = &storing.get(&id)["verification"];
    assert_eq!((&verified["ok"], &verified["destination"]), (&json!(true), &json!("offsite")));

    assert_eq!(admin.json(&["backup", "hold", &id])["hold"], true);
    let held = admin.run(&["backup", "delete", &id, "--yes"]).failed_with(1);
    assert!(held.ends_with("`strongroom backup unhold` releases it [BACKUP_HELD]"), "{held}");
    assert_eq!(admin.json(&["backup", "unhold", &id])["hold"], false);
    let deleted = admin.json(&["backup", "delete", &id, "--yes"]);
    assert_eq!(deleted["state"], "BACKUP_STATE_DELETED");
    assert!(deleted["deleteTime"].as_str() < deleted["purgeTime"].as_str(), "{deleted}");
    assert_eq!(admin.json(&["backup", "list"]), json!([]));
    assert_eq!(id_of(&admin.json(&["backup", "list", "--deleted"])[0]), id);
    assert_eq!(id_of(&admin.json(&["backup", "list", "--state", "deleted"])[0]), id);
    assert_eq!(admin.json(&["backup", "undelete", &id])["state"], "BACKUP_STATE_AVAILABLE");
    let scan = admin.json(&["backup", "scan", "--destination", "local"]);
    let expected = json!([{
        "destination": "local", "found": "1", "added": "0", "unverified": "0", "missing": "0",
        "refused": [], "refusedTotal": "0", "problem": "",
    }]);
    assert_eq!(scan, expected);
}

#[test]
fn a_deleted_backup_is_gone_after_the_delay() {
    let mut storing = Storing::in_folders(&["local"]);
    let file = storing.deployment.path("backup.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace("[backup]\n", "[backup]\ndelete_delay_hours = 0\n")).unwrap();
    storing.deployment.restart_backup();
    let id = storing.create();
    let files = storing.files("local", &id);
    let deleted = storing.admin().run(&["backup", "delete", &id, "--yes"]).succeeded();
    assert!(deleted.text().contains("gone from: "), "{}", deleted.text());
    eventually("nothing is left", Duration::from_secs(30), || {
        let unknown = storing.admin().run(&["backup", "get", &id]);
        unknown.stderr.contains("[BACKUP_NOT_FOUND]").then_some(())
    });
    assert!(files.iter().all(|file| !file.exists()), "{files:?}");
    assert_eq!(storing.vault.number("SELECT COUNT(*) FROM key_pins"), 0);
    let late = storing.admin().run(&["backup", "undelete", &id]).failed_with(1);
    assert!(late.contains("`strongroom backup list --deleted`"), "{late}");
}
