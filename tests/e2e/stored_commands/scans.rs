//! `backup scan` after the loss of the catalogue, and among untrustworthy records.

use e2e::{PATIENCE, eventually};
use serde_json::{Value, json};

use super::{Storing, id_of};

#[test]
fn a_lost_catalogue_comes_back_with_holds_and_pins() {
    let mut storing = Storing::in_folders(&["local"]);
    let (held, other, deleted) = (storing.create(), storing.create(), storing.create());
    let _ = storing.admin().run(&["backup", "hold", &held]).succeeded();
    let _ = storing.admin().run(&["backup", "delete", &deleted, "--yes"]).succeeded();
    for (id, said) in [(&held, "\"hold\":true"), (&deleted, "\"delete_time\":\"")] {
        let [_, record] = storing.files("local", id);
        eventually("the record says so", PATIENCE, || {
            std::fs::read_to_string(&record).unwrap().contains(said).then_some(())
        });
    }
    let before = storing.admin().json(&["backup", "list", "--deleted"]);
    let kid = first_version(&storing);
    let _ = storing.admin().run(&["key", "rotate", "credential"]).succeeded();
    let _ = storing.admin().run(&["key", "reencrypt"]).succeeded();
    storing.lose_the_catalogue();
    storing.vault.run("DELETE FROM key_pins");

    let scan = storing.admin().json(&["backup", "scan"]);
    assert_eq!(counts(&scan[0]), ["3", "3", "0", "0", "0"], "{scan}");
    let mut after = storing.admin().json(&["backup", "list", "--deleted"]);
    for (after, before) in after.as_array_mut().unwrap().iter_mut().zip(before.as_array().unwrap()) {
        after["etag"] = before["etag"].clone();
    }
    assert_eq!(after, before);
    let refused = storing.admin().run(&["backup", "delete", &held, "--yes"]).failed_with(1);
    assert!(refused.contains("[BACKUP_HELD]"), "{refused}");
    let pinned = storing.admin().run(&["key", "disable", &kid]).failed_with(1);
    assert!(pinned.contains("[KEY_VERSION_IN_USE]"), "{pinned}");
    assert!(pinned.contains(&held) || pinned.contains(&other), "{pinned}");
    let _ = storing.admin().run(&["backup", "verify", &other]).succeeded();
    let _ = storing.admin().run(&["backup", "undelete", &deleted]).succeeded();
}

/// Counts: found, added, unverified, missing, refused.
fn counts(scan: &Value) -> [&str; 5] {
    ["found", "added", "unverified", "missing", "refusedTotal"].map(|name| scan[name].as_str().unwrap())
}

fn first_version(storing: &Storing) -> String {
    let keys = storing.admin().json(&["key", "list"]);
    let first = keys.as_array().unwrap().iter().find(|version| version["keyId"] == "credential").unwrap();
    first["kid"].as_str().unwrap().to_owned()
}

#[test]
fn an_edited_record_is_refused_and_written_again_where_the_catalogue_knows_better() {
    let mut storing = Storing::in_folders(&["local"]);
    let id = storing.create();
    let [file, record] = storing.files("local", &id);
    let signed = std::fs::read_to_string(&record).unwrap();
    let edited = signed.replace("\"hold\":false", "\"hold\":true");
    let (signer, rest) = signed.split_once("\"kid\": \"").unwrap();
    let of_a_stranger = format!("{signer}\"kid\": \"0123456789abcdef{}", &rest[16..]);
    assert!(edited != signed && of_a_stranger.len() == signed.len());
    for wrong in [&edited, &of_a_stranger, "no record", ""] {
        std::fs::write(&record, wrong).unwrap();
        let scan = storing.admin().run(&["backup", "scan"]);
        let said = scan.failed_with(1);
        assert!(said.starts_with("error: 1 sidecar was refused: "), "{said}");
        assert!(
            scan.text().contains(&format!("local: {}", file.file_name().unwrap().display())),
            "{}",
            scan.text()
        );
        eventually("it is written again", PATIENCE, || {
            let written = std::fs::read_to_string(&record).unwrap();
            (written != wrong && written.contains("\"hold\":false")).then_some(())
        });
        let backup = storing.get(&id);
        assert_eq!(backup["copies"][0]["state"], "BACKUP_COPY_STATE_STORED");
        assert_eq!(backup["hold"], false, "{backup}");
        let _ = storing.admin().run(&["backup", "scan"]).succeeded();
    }
    std::fs::write(&record, &edited).unwrap();
    storing.lose_the_catalogue();
    let _ = storing.admin().run(&["backup", "scan"]).failed_with(1);
    assert_eq!(storing.admin().json(&["backup", "list"]), json!([]));
}

#[test]
fn an_older_record_in_the_place_of_a_newer_one_takes_no_hold_back() {
    let storing = Storing::in_folders(&["local"]);
    let id = storing.create();
    let [_, record] = storing.files("local", &id);
    let older = std::fs::read_to_string(&record).unwrap();
    let is_held = || std::fs::read_to_string(&record).unwrap().contains("\"hold\":true").then_some(());
    let _ = storing.admin().run(&["backup", "hold", &id]).succeeded();
    eventually("the record says so", PATIENCE, is_held);
    std::fs::write(&record, older).unwrap();
    let _ = storing.admin().run(&["backup", "scan"]).succeeded();
    eventually("the newer record is back", PATIENCE, is_held);
    assert_eq!(storing.get(&id)["hold"], true);
}

#[test]
fn a_backup_of_an_unknown_signer_has_no_effect() {
    let (storing, stranger) = (Storing::in_folders(&["local"]), Storing::in_folders(&["local"]));
    let admin = storing.admin();
    let id = stranger.create();
    let _ = stranger.admin().run(&["backup", "hold", &id]).succeeded();
    let [file, record] = stranger.files("local", &id);
    let here = [&file, &record].map(|from| storing.folder("local").join(from.file_name().unwrap()));
    for (from, to) in [&file, &record].into_iter().zip(&here) {
        std::fs::copy(from, to).unwrap();
    }
    let scan = admin.json(&["backup", "scan"]);
    assert_eq!(counts(&scan[0]), ["0", "1", "1", "0", "0"], "{scan}");
    let listed = admin.json(&["backup", "list", "--state", "unverified"]);
    assert_eq!((id_of(&listed[0]), &listed[0]["hold"]), (id.clone(), &json!(false)));
    let out = storing.deployment.path("strange.zip");
    let _ = admin.run(&["backup", "download", &id, "--out", super::text(&out)]).succeeded();
    let _ = admin.run(&["backup", "verify", &id]).failed_with(1);
    for refused in
        [&["backup", "hold", &id][..], &["backup", "delete", &id, "--yes"], &["backup", "undelete", &id]]
    {
        let said = admin.run(refused).failed_with(1);
        assert!(said.contains("[BACKUP_UNVERIFIED]") && said.contains("does not know its signer"), "{said}");
    }
    let pins = format!("SELECT COUNT(*) FROM key_pins WHERE archive_id = '{id}'");
    assert_eq!(storing.vault.number(&pins), 0);

    std::fs::remove_file(&here[1]).unwrap();
    let _ = admin.run(&["backup", "scan"]).succeeded();
    assert_eq!(
        admin.json(&["backup", "list", "--state", "unverified"]),
        json!([]),
        "nobody tells of it any more"
    );
    assert!(here[0].exists(), "a scan deletes no file");
}

#[test]
fn a_copy_that_somebody_deleted_is_missing() {
    let storing = Storing::in_folders(&["local", "other"]);
    let id = storing.create();
    let files = storing.files("local", &id);
    let content = std::fs::read(&files[0]).unwrap();
    for file in &files {
        std::fs::remove_file(file).unwrap();
    }
    let scan = storing.admin().run(&["backup", "scan"]).succeeded();
    let shown = scan.text();
    let missing = shown.lines().find(|line| line.starts_with("local ")).unwrap();
    assert_eq!(
        missing.split_whitespace().collect::<Vec<_>>()[..6],
        ["local", "0", "0", "0", "1", "0"],
        "{shown}"
    );
    assert_eq!(storing.get(&id)["copies"][0]["state"], "BACKUP_COPY_STATE_MISSING");
    let out = storing.deployment.path("other.zip.age");
    let download = ["backup", "download", &id, "--out", super::text(&out)];
    let from = storing.admin().run(&[&download[..], &["--destination", "local"]].concat()).failed_with(1);
    assert!(from.contains("[COPY_MISSING]") && from.contains("it has one in: other"), "{from}");
    let _ = storing.admin().run(&download).succeeded();

    // The file comes back, but its record is missing.
    std::fs::write(&files[0], content).unwrap();
    let _ = storing.admin().run(&["backup", "scan"]).succeeded();
    eventually("its record is written", PATIENCE, || files[1].exists().then_some(()));
    let _ = storing.admin().run(&["backup", "verify", &id, "--destination", "local"]).succeeded();
}
