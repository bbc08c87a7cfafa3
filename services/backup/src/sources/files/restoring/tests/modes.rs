//! The result for files in each mode, and their modes, times and owners.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use jiff::Timestamp;
use strongroom_tables::load::{Change, Mode, TableChanges};

use super::super::owner::own_user;
use super::{Archive, RESTORE, Set, file};

fn texts(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn counts(created: u64, changed: u64, deleted: u64, kept: u64, conflicts: u64) -> TableChanges {
    TableChanges { created, changed, deleted, kept, conflicts, examples: Vec::new() }
}

/// Asserts that the plan predicts the swap.
fn applied(archive: &Archive, set: &Set) -> TableChanges {
    let mut planned = archive.inspect(set);
    assert_eq!(planned.refusals, []);
    planned.changes.examples.clear();
    let changes = archive.apply(set, RESTORE).changes;
    assert_eq!(changes, planned.changes);
    changes
}

#[test]
fn an_empty_set_gets_files_with_their_modes_and_times() {
    let set = Set::create(&[]);
    fs::set_permissions(set.at(""), fs::Permissions::from_mode(0o3772)).unwrap();
    let mut files = vec![file("a", "one"), file("b/c/d", "two"), file("b/empty", "")];
    files[0].0.mode = Some(0o444);
    files[1].0.modified_at = Some(Timestamp::new(-5, -250_000_000).unwrap());
    let archive = Archive::create(Mode::IntoEmpty, files);
    assert_eq!(archive.inspect(&set).needed_bytes, 6);
    assert_eq!(applied(&archive, &set), counts(3, 0, 0, 0, 0));
    let tree = set.tree();
    assert_eq!(set.files(), texts(&[("a", "one"), ("b/c/d", "two"), ("b/empty", "")]));
    assert_eq!((tree["a"].mode, tree["a"].time), (0o100_444, Some((1_000_000_000, 123_456_789))));
    assert_eq!((tree["b/c/d"].mode, tree["b/c/d"].time), (0o100_640, Some((-6, 750_000_000))));
    assert_eq!(
        [tree["b"].mode, tree["b/c"].mode],
        [0o042_770; 2],
        "as the folder above, but for others' writing"
    );
    set.target().roll_back(RESTORE, false).unwrap();
    assert!(set.everything().is_empty(), "folders that it created are gone too");
}

#[test]
fn files_and_new_folders_belong_to_the_configured_owner() {
    if own_user() != 0 {
        return;
    }
    let mut set = Set::create(&[("old/x", "x")]);
    set.owner = Some("1234:4321".into());
    Archive::of(Mode::Merge, &[("old/a", "one"), ("new/deep/b", "two")]).apply(&set, RESTORE);
    for path in ["old/a", "new", "new/deep", "new/deep/b"] {
        assert_eq!(set.tree()[path].owner, (1234, 4321), "{path}");
    }
    assert_eq!(set.tree()["old"].owner.0, 0, "a folder that was there keeps its own");
}

#[test]
fn a_merge_keeps_what_is_there() {
    let set = Set::create(&[("mine", "mine"), ("both", "mine"), ("same", "same")]);
    let mut files =
        [("both", "theirs"), ("same", "same"), ("new", "new")].map(|(path, text)| file(path, text));
    files[1].0.mode = Some(0o600);
    files[1].0.modified_at = Some(Timestamp::new(1_577_836_800, 5).unwrap());
    let archive = Archive::create(Mode::Merge, files);
    let before = set.tree();
    assert_eq!(applied(&archive, &set), counts(1, 0, 0, 2, 1));
    assert_eq!(set.files(), texts(&[("mine", "mine"), ("both", "mine"), ("same", "same"), ("new", "new")]));
    set.target().roll_back(RESTORE, false).unwrap();
    assert_eq!(set.tree(), before);
}

#[test]
fn replacing_leaves_exactly_the_files_of_the_archive() {
    let set = Set::create(&[("gone/x", "x"), ("both", "mine"), ("touched", "same"), ("moded", "same")]);
    let same = Timestamp::new(1_577_836_800, 5).unwrap();
    let mut files = ["both", "touched", "moded", "kept"].map(|path| file(path, "same"));
    // Of these, one differs only in its time, one only in its mode, and one not at all.
    files[1].0.mode = Some(0o600);
    files[2].0.modified_at = Some(same);
    set.write("kept", "same");
    (files[3].0.mode, files[3].0.modified_at) = (Some(0o600), Some(same));
    let inode = fs::metadata(set.at("kept")).unwrap().ino();
    let before = set.tree();
    let archive = Archive::create(Mode::Replace, files);
    let planned = archive.inspect(&set);
    assert!(
        planned
            .changes
            .examples
            .iter()
            .any(|one| one.change == Change::Deleted && one.key == r#"["gone/x"]"#)
    );
    assert!(planned.warnings.iter().any(|text| text.contains("folders that become empty stay")));
    assert_eq!(applied(&archive, &set), counts(0, 3, 1, 1, 0));
    let all = [("both", "same"), ("touched", "same"), ("moded", "same"), ("kept", "same")];
    assert_eq!(set.files(), texts(&all));
    assert_eq!(set.tree()["moded"].mode, 0o100_640);
    assert!(set.at("gone").is_dir());
    assert_eq!(fs::metadata(set.at("kept")).unwrap().ino(), inode, "it was not staged");
    set.target().check_roll_back(RESTORE, false).unwrap();
    let changes = set.target().roll_back(RESTORE, false).unwrap().changes;
    assert_eq!(changes, counts(1, 3, 0, 0, 0));
    assert_eq!(set.tree(), before);
    assert!(set.has_nothing_of_ours());
}

#[test]
fn content_is_compared_also_where_length_time_and_mode_are_the_same() {
    let set = Set::create(&[("a", "old")]);
    let mut wanted = file("a", "new");
    (wanted.0.mode, wanted.0.modified_at) = (Some(0o600), Some(Timestamp::new(1_577_836_800, 5).unwrap()));
    let archive = Archive::create(Mode::Replace, [wanted]);
    assert_eq!(applied(&archive, &set), counts(0, 1, 0, 0, 0));
    assert_eq!(set.read("a"), "new");
}

#[test]
fn files_and_folders_change_places() {
    let set = Set::create(&[("folder/a", "1"), ("folder/deep/b", "2"), ("file", "3"), ("new/x", "5")]);
    fs::set_permissions(set.at("folder"), fs::Permissions::from_mode(0o711)).unwrap();
    let before = set.tree();
    let archive = Archive::of(Mode::Replace, &[("folder", "f"), ("file/a/b", "g"), ("file/c", "h")]);
    assert_eq!(applied(&archive, &set), counts(3, 0, 4, 0, 0));
    assert_eq!(set.files(), texts(&[("folder", "f"), ("file/a/b", "g"), ("file/c", "h")]));
    assert_eq!(set.target().roll_back(RESTORE, false).unwrap().changes.deleted, 2);
    assert_eq!(set.tree(), before);
}

#[test]
fn links_and_special_files_that_are_there_are_not_touched() {
    let set = Set::create(&[("a", "old")]);
    fs::write(set.outside().join("private"), "private").unwrap();
    symlink(set.outside().join("private"), set.at("link")).unwrap();
    symlink(set.outside(), set.at("folder-link")).unwrap();
    crate::sources::files::root::tests::make_pipe(&set.at("pipe"));
    Archive::of(Mode::Replace, &[("a", "new")]).apply(&set, RESTORE);
    let tree = set.tree();
    assert_eq!(tree.keys().collect::<Vec<_>>(), ["a", "folder-link", "link", "pipe"]);
    assert_eq!(fs::read_to_string(set.outside().join("private")).unwrap(), "private");
}

#[test]
fn names_are_bytes() {
    let set = Set::create(&[]);
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe/\n");
    let archive = Archive::create(Mode::Replace, [file(name.as_bytes(), "bytes")]);
    fs::write(set.at(std::ffi::OsStr::from_bytes(b"\xfe")), "goes").unwrap();
    assert_eq!(applied(&archive, &set), counts(1, 0, 1, 0, 0));
    assert_eq!(fs::read(set.at(name)).unwrap(), b"bytes");
    set.target().roll_back(RESTORE, false).unwrap();
    assert_eq!(fs::read(set.at(std::ffi::OsStr::from_bytes(b"\xfe"))).unwrap(), b"goes");
    assert!(!set.at(name).exists());
}

#[test]
fn programs_get_no_rights_of_others() {
    let set = Set::create(&[]);
    let mut files = [file("program", "p"), file("plain", "p")];
    files[0].0.mode = Some(0o6755);
    let archive = Archive::create(Mode::IntoEmpty, files);
    let warnings = archive.inspect(&set).warnings;
    assert!(warnings.iter().any(|text| text.starts_with("1 files have the set-user-id")), "{warnings:?}");
    archive.apply(&set, RESTORE);
    assert_eq!(set.tree()["program"].mode, 0o100_755);
    // The result of a second restore already exists; and a set-id bit set by hand is no difference either.
    let again = Archive { wanted: replacing(&archive), ..archive };
    assert_eq!(again.inspect(&set).changes.kept, 2);
    fs::set_permissions(set.at("program"), fs::Permissions::from_mode(0o6755)).unwrap();
    assert_eq!(again.inspect(&set).changes.kept, 2);
    fs::set_permissions(set.at("plain"), fs::Permissions::from_mode(0o4640)).unwrap();
    assert_eq!(again.inspect(&set).changes.changed, 1);
}

fn replacing(archive: &Archive) -> std::sync::Arc<super::super::WantedFiles> {
    let files = archive.wanted.files.iter();
    let files = files.map(|file| super::super::WantedFile {
        path: file.path.clone(),
        sha256: file.sha256.clone(),
        ..*file
    });
    let files = files.collect();
    std::sync::Arc::new(super::super::WantedFiles { mode: Mode::Replace, files, is_partial: false })
}
