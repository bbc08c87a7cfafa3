//! Operators' mistakes, and the messages for them.

use super::{Storing, text};

const UNKNOWN: &str = "0197e0a1-0000-7000-8000-00000000000a";

#[test]
fn each_mistake_is_answered_with_what_to_do() {
    let storing = Storing::in_folders(&["local"]);
    let admin = storing.admin();
    let id = storing.create();
    let path = |name: &str| text(&storing.deployment.path(name)).to_owned();
    let there = path("there.zip.age");
    std::fs::write(&there, "something else").unwrap();
    let missing_folder = path("nowhere/b.zip.age");
    let name = storing.get(&id)["fileName"].as_str().unwrap().to_owned();
    for (arguments, code, words) in [
        (&["backup", "get", "1"][..], 2, "expected a UUID"),
        (&["backup", "get", &name], 2, "`strongroom backup list`"),
        (&["backup", "get", UNKNOWN], 1, "`strongroom backup list --deleted`"),
        (&["backup", "watch", UNKNOWN], 1, "[BACKUP_NOT_FOUND]"),
        (&["backup", "download", &id], 2, "--out"),
        (&["backup", "download", &id, "--out", &there], 1, "`--force` replaces it"),
        (&["backup", "download", &id, "--out", &missing_folder], 1, "nowhere"),
        (&["backup", "download", &id, "--out", "-", "--resume"], 2, "--resume needs a file"),
        (
            &["backup", "download", &id, "--out", &path("b"), "--destination", "typo"],
            1,
            "it has one in: local",
        ),
        (&["backup", "verify", &name], 1, "neither a file nor the id"),
        (&["backup", "verify", &id, "--destination", "typo"], 1, "it has one in: local"),
        (&["backup", "delete", &id], 2, "--yes"),
        (&["backup", "undelete", UNKNOWN], 1, "[BACKUP_NOT_FOUND]"),
        (
            &["backup", "create", "--destination", "typo"],
            1,
            "there is no destination \"typo\"; there are: local",
        ),
        (&["backup", "create", "--tables", "typo"], 1, "typo"),
        (&["backup", "create", "--include", "typo"], 1, "typo"),
        (&["backup", "create", "--since", "yesterday"], 2, "30d"),
        (&["backup", "create", "--out", "b.zip"], 2, "--out"),
        (&["backup", "create", "--plain", "--recipient", "age1x"], 2, "--recipient"),
        (&["backup", "list", "--state", "stored"], 2, "available"),
        (&["backup", "list", "--deleted", "--state", "failed"], 2, "--state"),
        (&["backup", "scan", "--destination", "typo"], 1, "there are: local"),
        (&["backup", "estimate", "--include", "typo"], 1, "typo"),
    ] {
        let run = admin.run(arguments);
        assert_eq!(run.code, Some(code), "{arguments:?}: {}", run.said());
        assert!(run.stderr.contains(words), "{arguments:?}: {}", run.said());
        let sentence = run.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(sentence, 1, "{arguments:?}: {}", run.said());
    }
}

#[test]
fn what_is_done_already_is_no_mistake_and_what_is_deleted_can_be_brought_back() {
    let storing = Storing::in_folders(&["local"]);
    let (admin, id) = (storing.admin(), storing.create());
    let out = storing.deployment.path("b");
    for command in ["hold", "hold", "unhold", "unhold", "undelete"] {
        let _ = admin.run(&["backup", command, &id]).succeeded();
    }
    for _ in 0..2 {
        let _ = admin.run(&["backup", "delete", &id, "--yes"]).succeeded();
    }
    for arguments in [
        &["backup", "download", &id, "--out", text(&out)][..],
        &["backup", "hold", &id],
        &["backup", "verify", &id],
    ] {
        let said = admin.run(arguments).failed_with(1);
        assert!(said.contains("`strongroom backup undelete` brings it back [BACKUP_DELETED]"), "{said}");
    }
    assert!(!out.exists());
}
