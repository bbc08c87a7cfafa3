//! Applications that keep working while a set is restored.

use std::fs;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use strongroom_tables::load::Mode;

use super::super::moment::{hook, unhook};
use super::super::{FilesError, Marker};
use super::{Archive, RESTORE, Set, file};

#[test]
fn open_files_stay_and_paths_are_never_without_a_whole_one() {
    let (old, new) = ("old ".repeat(20_000), "new!".repeat(20_000));
    let names: Vec<String> = (0..200).map(|at| format!("f{at}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), old.as_str())).collect();
    let set = Set::create(&files);
    let archive = Archive::create(Mode::Replace, names.iter().map(|name| file(name, &new)));
    archive.stage(&set, RESTORE).unwrap();
    let mut reader = fs::File::open(set.at("f7")).unwrap();
    let mut writer = fs::File::options().append(true).open(set.at("f8")).unwrap();
    let (ends, paths) = (AtomicBool::new(false), names.iter().map(|name| set.at(name)).collect::<Vec<_>>());
    std::thread::scope(|scope| {
        let looker = scope.spawn(|| {
            let mut looks = 0_u64;
            while !ends.load(Ordering::Relaxed) {
                for path in &paths {
                    let text = fs::read_to_string(path).unwrap();
                    assert!(text == old || text == new || text.starts_with(&old));
                    looks += 1;
                }
            }
            looks
        });
        set.target().swap(RESTORE).unwrap();
        writer.write_all(b"appended").unwrap();
        set.target().roll_back(RESTORE, false).unwrap();
        ends.store(true, Ordering::Relaxed);
        assert!(looker.join().unwrap() > 0);
    });
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, old);
    assert_eq!(
        set.read("f8"),
        format!("{old}appended"),
        "it went into the displaced file, and came back with it"
    );
}

#[test]
fn a_file_created_meanwhile_is_displaced_or_kept_as_the_mode_says() {
    for (mode, expected) in [(Mode::IntoEmpty, "new"), (Mode::Replace, "new"), (Mode::Merge, "theirs")] {
        let set = Set::create(&[]);
        let archive = Archive::of(mode, &[("a/b", "new"), ("c", "new")]);
        archive.stage(&set, RESTORE).unwrap();
        set.write("a/b", "theirs");
        let before = set.tree();
        set.target().swap(RESTORE).unwrap();
        assert_eq!((set.read("a/b").as_str(), set.read("c").as_str()), (expected, "new"), "{mode:?}");
        set.target().roll_back(RESTORE, false).unwrap();
        assert_eq!(set.read("a/b"), "theirs", "{mode:?}");
        assert_eq!(set.tree(), before);
    }
}

#[test]
fn a_file_changed_or_removed_meanwhile_is_displaced() {
    let set = Set::create(&[("changed", "old"), ("removed", "old"), ("gone", "old"), ("away", "old")]);
    let archive = Archive::of(Mode::Replace, &[("changed", "new"), ("removed", "new")]);
    archive.stage(&set, RESTORE).unwrap();
    set.write("changed", "newer than the plan");
    set.write("gone", "newer too");
    fs::remove_file(set.at("removed")).unwrap();
    fs::remove_file(set.at("away")).unwrap();
    let before = set.tree();
    set.target().swap(RESTORE).unwrap();
    assert_eq!(set.files().into_keys().collect::<Vec<_>>(), ["changed", "removed"]);
    set.target().roll_back(RESTORE, false).unwrap();
    assert_eq!(set.tree(), before);
}

#[test]
fn a_file_that_was_to_stay_and_changed_refuses_the_swap() {
    let set = Set::create(&[("same", "same"), ("other", "old")]);
    let mut files = [file("same", "same"), file("other", "new")];
    files[0].0.mode = Some(0o600);
    files[0].0.modified_at = None;
    let archive = Archive::create(Mode::Replace, files);
    archive.stage(&set, RESTORE).unwrap();
    fs::write(set.at("same"), "changed").unwrap();
    let before = set.tree();
    assert!(
        matches!(set.target().swap(RESTORE), Err(FilesError::ChangedMeanwhile { path, .. }) if path == "same")
    );
    assert_eq!(set.tree(), before);
    assert_eq!(set.target().state_of(RESTORE).unwrap(), Some(Marker::Staged));
    assert!(set.target().discard(RESTORE, Marker::Staged).unwrap());
}

#[test]
fn a_swap_that_is_blocked_goes_on_once_nothing_is_in_the_way() {
    let set = Set::create(&[("a", "old"), ("b", "old")]);
    let archive = Archive::of(Mode::Replace, &[("a", "new"), ("b", "new")]);
    archive.stage(&set, RESTORE).unwrap();
    // Before the first rename: nothing is changed.
    fs::remove_file(set.at("b")).unwrap();
    fs::create_dir(set.at("b")).unwrap();
    let blocked = set.target().swap(RESTORE);
    assert!(matches!(&blocked, Err(FilesError::InTheWay { path, .. }) if path == "b"), "{blocked:?}");
    assert_eq!(
        (set.read("a").as_str(), set.target().state_of(RESTORE).unwrap()),
        ("old", Some(Marker::Staged))
    );
    fs::remove_dir(set.at("b")).unwrap();
    // After it: the restore stays half done.
    let (path, mut places) = (set.at("b"), 0);
    hook(move |place| {
        places += usize::from(place == "files.action");
        if places == 2 && !path.exists() {
            fs::create_dir(&path)?;
        }
        Ok(())
    });
    assert!(matches!(set.target().swap(RESTORE), Err(FilesError::InTheWay { .. })));
    unhook();
    assert_eq!(set.target().state_of(RESTORE).unwrap(), Some(Marker::Swapping));
    fs::remove_dir(set.at("b")).unwrap();
    set.target().swap(RESTORE).unwrap();
    assert_eq!((set.read("a").as_str(), set.read("b").as_str()), ("new", "new"));
}
