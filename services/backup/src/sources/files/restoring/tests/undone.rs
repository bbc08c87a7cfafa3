//! When a restore is rolled back, and when not.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use strongroom_tables::load::Mode;

use super::super::{FilesError, Marker};
use super::{Archive, OTHER, RESTORE, Set};

fn scene() -> (Set, Archive) {
    let set = Set::create(&[("changed", "old"), ("gone/x", "old"), ("file", "old")]);
    let archive =
        Archive::of(Mode::Replace, &[("changed", "new"), ("created", "new"), ("file/inside", "new")]);
    (set, archive)
}

type Happens = fn(&Set);

/// Each changes the result of the restore.
const CHANGES: [(&str, Happens); 10] = [
    ("content", |set| fs::write(set.at("changed"), "other").unwrap()),
    ("replaced", |set| {
        fs::copy(set.at("changed"), set.at("new")).unwrap();
        fs::rename(set.at("new"), set.at("changed")).unwrap();
    }),
    ("mode", |set| {
        fs::set_permissions(set.at("created"), fs::Permissions::from_mode(0o600)).unwrap();
    }),
    ("removed", |set| fs::remove_file(set.at("created")).unwrap()),
    ("removed changed", |set| fs::remove_file(set.at("changed")).unwrap()),
    ("there again", |set| set.write("gone/x", "again")),
    ("link", |set| {
        fs::remove_file(set.at("changed")).unwrap();
        symlink("created", set.at("changed")).unwrap();
    }),
    ("folder", |set| {
        fs::remove_file(set.at("created")).unwrap();
        fs::create_dir_all(set.at("created/deep/er")).unwrap();
        fs::write(set.at("created/deep/er/x"), "x").unwrap();
    }),
    ("file in a new folder", |set| set.write("file/other", "other")),
    ("folder gone", |set| fs::remove_dir_all(set.at("gone")).unwrap()),
];

#[test]
fn a_change_since_is_lost_only_when_told_so() {
    for (what, change) in CHANGES {
        let (set, archive) = scene();
        let mut before = set.tree();
        archive.apply(&set, RESTORE);
        change(&set);
        let changed = set.everything();
        let checked = set.target().check_roll_back(RESTORE, false);
        assert!(matches!(checked, Err(FilesError::ChangedSince { .. })), "{what}: {checked:?}");
        let rolled = set.target().roll_back(RESTORE, false);
        assert_eq!(rolled.unwrap_err().to_string(), checked.unwrap_err().to_string(), "{what}");
        assert_eq!(set.everything(), changed, "{what}: nothing was touched");
        set.target().check_roll_back(RESTORE, true).unwrap();
        assert_eq!(set.everything(), changed, "{what}: a check changes nothing");
        set.target().roll_back(RESTORE, true).unwrap();
        let mut after = set.tree();
        if what == "folder gone" {
            // It was created again.
            before.remove("gone");
            after.remove("gone");
        }
        assert_eq!(after, before, "{what}");
        assert!(set.has_nothing_of_ours(), "{what}");
    }
}

#[test]
fn the_first_few_changes_are_named() {
    let (set, archive) = scene();
    archive.apply(&set, RESTORE);
    for path in ["changed", "created", "gone/x", "file/inside"] {
        set.write(path, "other");
    }
    let error = set.target().roll_back(RESTORE, false).unwrap_err().to_string();
    assert!(
        error.starts_with("4 files of source recs have changed since the restore, \"gone/x\", "),
        "{error}"
    );
    assert_eq!(error.matches('"').count(), 6, "{error}");
    assert!(error.contains("--discard-changes"), "{error}");
}

#[test]
fn what_others_have_created_beside_stays() {
    let (set, archive) = scene();
    Archive::of(Mode::Merge, &[("made/by/us", "new")]).apply(&set, OTHER);
    set.write("made/by/them", "theirs");
    set.target().roll_back(OTHER, false).unwrap();
    assert_eq!(set.read("made/by/them"), "theirs");
    assert!(!set.at("made/by/us").exists());
    drop(archive);
}

#[test]
fn the_newest_restore_is_taken_back_first() {
    let (set, archive) = scene();
    let before = set.tree();
    archive.apply(&set, OTHER);
    let between = set.tree();
    Archive::of(Mode::Replace, &[("changed", "newest")]).apply(&set, RESTORE);
    for error in [set.target().check_roll_back(OTHER, true), set.target().roll_back(OTHER, true).map(drop)] {
        assert!(matches!(error, Err(FilesError::Superseded { newer, .. }) if newer == RESTORE));
    }
    set.target().roll_back(RESTORE, false).unwrap();
    assert_eq!(set.tree(), between);
    set.target().roll_back(OTHER, false).unwrap();
    assert_eq!(set.tree(), before);
    assert!(set.has_nothing_of_ours());
}

#[test]
fn what_is_not_there_is_not_taken_back() {
    let (set, archive) = scene();
    let not_applied = |id| {
        assert!(matches!(set.target().check_roll_back(id, true), Err(FilesError::NotApplied { .. })));
        assert!(matches!(set.target().roll_back(id, true), Err(FilesError::NotApplied { .. })));
    };
    not_applied(RESTORE);
    archive.stage(&set, RESTORE).unwrap();
    not_applied(RESTORE);
    not_applied(OTHER);
    assert_eq!(set.target().state_of(RESTORE).unwrap(), Some(Marker::Staged));
}
