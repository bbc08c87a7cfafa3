//! The holder of a creator's token can fill the storage, but can neither read nor destroy anything.

use super::{Storing, id_of, text};

#[test]
fn a_creator_can_neither_read_nor_destroy_what_it_made() {
    let storing = Storing::in_folders(&["local"]);
    let creator = storing.admin().issue("backup-creator");
    let created = creator.json(&["backup", "create"]);
    let id = id_of(&created);
    assert_eq!(created["state"], "BACKUP_STATE_AVAILABLE");
    for allowed in
        [&["backup", "get", &id][..], &["backup", "list"], &["backup", "estimate"], &["backup", "watch", &id]]
    {
        let _ = creator.run(allowed).succeeded();
    }
    let out = storing.deployment.path("taken.zip.age");
    for (refused, permission) in [
        (&["backup", "delete", &id, "--yes"][..], "backup.delete"),
        (&["backup", "undelete", &id], "backup.delete"),
        (&["backup", "hold", &id], "backup.hold"),
        (&["backup", "unhold", &id], "backup.hold"),
        (&["backup", "download", &id, "--out", text(&out)], "backup.download"),
        (&["backup", "verify", &id], "backup.verify"),
        (&["backup", "scan"], "backup.scan"),
        (&["backup", "create", "--plain"], "backup.export_plain"),
    ] {
        let said = creator.run(refused).failed_with(1);
        assert!(said.contains("[PERMISSION_MISSING]") && said.contains(permission), "{permission}: {said}");
    }
    assert!(!out.exists());

    // Archives that it can stream itself are sealed, and it cannot open them.
    let own = storing.deployment.path("own.zip.age");
    let _ = creator.run(&["backup", "export", "--out", text(&own)]).succeeded();
    let [stored, _] = storing.files("local", &id);
    for archive in [own, stored] {
        let _ = creator.run(&["archive", "open", text(&archive), "--table", "credentials"]).failed_with(1);
        let _ = creator.run(&["archive", "verify", text(&archive)]).failed_with(1);
    }
    assert_eq!(storing.get(&id)["copies"][0]["state"], "BACKUP_COPY_STATE_STORED");
}
