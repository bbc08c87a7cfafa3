//! Downloads that are cut, killed, resumed and refused.

use e2e::{PATIENCE, eventually, random_table, start_unread};

use super::proxy::{After, Proxy};
use super::{Storing, text};

/// Bytes between two cuts: the backup has tens of megabytes.
const PIECE: usize = 7 << 20;

fn large() -> (Storing, String) {
    let storing = Storing::in_folders(&["local"]);
    random_table(&storing.gateway);
    let id = storing.create();
    (storing, id)
}

#[test]
fn a_download_that_is_cut_every_few_megabytes_is_byte_identical() {
    let (storing, id) = large();
    let out = storing.deployment.path("cut.zip.age");
    let proxy = Proxy::before(storing.admin(), PIECE, After::Cut);
    let behind = proxy.operator(storing.admin());
    let printed = behind.json(&["backup", "download", &id, "--out", text(&out)]);
    let stored = std::fs::read(&storing.files("local", &id)[0]).unwrap();
    assert!(proxy.connections() >= 4, "{} connections for {} bytes", proxy.connections(), stored.len());
    assert!(std::fs::read(&out).unwrap() == stored, "not the same bytes");
    assert_eq!(printed["sizeBytes"], stored.len().to_string());
    assert_eq!(printed["sha256"], storing.get(&id)["content"]["sha256"]);
    assert_eq!((&printed["destination"], &printed["id"]), (&"local".into(), &id.as_str().into()));
}

#[test]
fn a_killed_download_is_resumed_unless_the_stored_file_was_replaced() {
    let (storing, id) = large();
    let out = storing.deployment.path("killed.zip.age");
    let download = ["backup", "download", &id, "--out", text(&out)];
    let partial = storing.deployment.path("killed.zip.age.partial");
    let kill_midway = || {
        let hanging = Proxy::before(storing.admin(), PIECE, After::Hang);
        let started = start_unread(&mut hanging.operator(storing.admin()).command(&download));
        eventually("a part of the file", PATIENCE, || {
            let length = partial.metadata().ok()?.len();
            (length > PIECE as u64 / 2).then_some(())
        });
        started.kill();
    };
    kill_midway();
    let resume = [&download[..], &["--resume"]].concat();
    let _ = storing.admin().run(&resume).succeeded();
    let [file, _] = storing.files("local", &id);
    let stored = std::fs::read(&file).unwrap();
    assert!(std::fs::read(&out).unwrap() == stored, "not the same bytes");
    assert!(!partial.exists());

    std::fs::remove_file(&out).unwrap();
    kill_midway();
    std::fs::write(file.with_extension("new"), &stored).unwrap();
    std::fs::rename(file.with_extension("new"), &file).unwrap();
    let refused = storing.admin().run(&resume).failed_with(1);
    assert!(refused.contains("[BACKUP_CHANGED]") && refused.contains("without --resume"), "{refused}");
    assert!(!out.exists());
    let _ = storing.admin().run(&download).succeeded();
    assert!(std::fs::read(&out).unwrap() == stored, "not the same bytes");
}

#[test]
fn a_stored_file_that_was_changed_is_given_to_nobody() {
    let storing = Storing::in_folders(&["local", "other"]);
    let id = storing.create();
    let out = storing.deployment.path("changed.zip.age");
    let download = ["backup", "download", &id, "--out", text(&out)];
    let [file, _] = storing.files("local", &id);
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    for changed in [&bytes[..], &bytes[1..], b""] {
        std::fs::write(&file, changed).unwrap();
        let refused = storing.admin().run(&download).failed_with(1);
        assert!(refused.contains("[BACKUP_DAMAGED]") && refused.contains("--destination"), "{refused}");
        assert!(!out.exists());
        let verified = storing.admin().run(&["backup", "verify", &id]);
        assert_eq!(verified.code, Some(1), "{}", verified.said());
    }
    std::fs::remove_file(&file).unwrap();
    let gone = storing.admin().run(&download).failed_with(1);
    assert!(gone.contains("no longer exists"), "{gone}");
    let _ = storing.admin().run(&["backup", "verify", &id, "--destination", "other"]).succeeded();
    let _ =
        storing.admin().run(&[&download[..], &["--destination", "other", "--force"]].concat()).succeeded();
}
