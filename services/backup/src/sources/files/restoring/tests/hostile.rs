//! An attacker with write access to the set, and nothing else.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::rc::Rc;

use strongroom_tables::load::Mode;

use super::super::moment::{hook, unhook};
use super::super::owner::own_user;
use super::super::{FilesError, Marker};
use super::fixture::Tree;
use super::{Archive, RESTORE, Set};

fn scene() -> (Set, Archive) {
    let set = Set::create(&[("a/b/changed", "old"), ("a/gone", "old")]);
    for path in ["b/changed", "gone", "new", "n/w"] {
        let path = set.outside().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "private").unwrap();
    }
    let archive = Archive::of(Mode::Replace, &[("a/b/changed", "new"), ("a/new", "new"), ("a/n/w", "new")]);
    (set, archive)
}

fn outside(set: &Set) -> Vec<(String, String)> {
    let read = |path: &str| fs::read_to_string(set.outside().join(path)).unwrap();
    ["b/changed", "gone", "new", "n/w"].map(|path| (path.to_owned(), read(path))).to_vec()
}

/// Does `evil` at the `nth` step of a swap and of a rollback.
fn at_each_step(evil: impl Fn(&Set) -> std::io::Result<()> + Clone + 'static) {
    for nth in 1.. {
        let (set, archive) = scene();
        let before = outside(&set);
        archive.stage(&set, RESTORE).unwrap();
        let set = Rc::new(set);
        let (seen, count) = (Rc::clone(&set), Rc::new(RefCell::new(0)));
        let (counted, evil) = (Rc::clone(&count), evil.clone());
        hook(move |_| {
            *counted.borrow_mut() += 1;
            if *counted.borrow() == nth { evil(&seen) } else { Ok(()) }
        });
        let _ = set.target().swap(RESTORE);
        let _ = set.target().roll_back(RESTORE, true);
        let _ = set.target().discard(RESTORE, Marker::Applied);
        unhook();
        assert_eq!(outside(&set), before, "{nth}");
        for entry in fs::read_dir(set.outside()).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(["b", "gone", "new", "n", RESTORE].iter().any(|own| name == **own), "{nth}: {name:?}");
        }
        if *count.borrow() < nth {
            assert!(nth > 10, "only {nth} steps");
            return;
        }
    }
}

#[test]
fn a_folder_that_becomes_a_link_midway_is_not_followed() {
    at_each_step(|set| {
        fs::rename(set.at("a"), set.at("aside"))?;
        symlink(set.outside(), set.at("a"))
    });
}

#[test]
fn an_inner_folder_that_becomes_a_link_midway_is_not_followed() {
    at_each_step(|set| {
        fs::rename(set.at("a/b"), set.at("aside"))?;
        symlink(set.outside().join("b"), set.at("a/b"))
    });
}

#[test]
fn the_folder_of_restores_that_becomes_a_link_midway_is_not_followed() {
    at_each_step(|set| {
        // Has the form of the service's own folder.
        fs::create_dir_all(set.outside().join(RESTORE).join("files"))?;
        if fs::rename(set.at(".strongroom"), set.at("aside")).is_ok() {
            symlink(set.outside(), set.at(".strongroom"))?;
        }
        Ok(())
    });
}

#[test]
fn a_link_in_the_place_of_the_folder_of_restores_is_refused() {
    let (set, archive) = scene();
    archive.stage(&set, RESTORE).unwrap();
    fs::rename(set.at(".strongroom"), set.outside().join("aside")).unwrap();
    symlink(set.outside().join("aside"), set.at(".strongroom")).unwrap();
    let foreign = |error: FilesError| assert!(matches!(error, FilesError::Foreign { .. }), "{error}");
    foreign(set.target().swap(RESTORE).unwrap_err());
    foreign(set.target().state_of(RESTORE).unwrap_err());
    foreign(set.target().roll_back(RESTORE, true).unwrap_err());
    foreign(set.target().discard(RESTORE, Marker::Staged).unwrap_err());
    assert_eq!(archive.reasons(&set), ["RESTORE_FOLDER"]);
    assert!(set.outside().join("aside").join(RESTORE).is_dir());
}

#[test]
fn a_folder_of_somebody_elses_is_not_used() {
    let (set, archive) = scene();
    archive.stage(&set, RESTORE).unwrap();
    fs::set_permissions(set.at(".strongroom"), fs::Permissions::from_mode(0o770)).unwrap();
    assert!(matches!(set.target().swap(RESTORE), Err(FilesError::Foreign { .. })));
    fs::set_permissions(set.at(".strongroom"), fs::Permissions::from_mode(0o700)).unwrap();
    if own_user() == 0 {
        std::os::unix::fs::chown(set.at(".strongroom"), Some(1234), None).unwrap();
        assert!(matches!(set.target().swap(RESTORE), Err(FilesError::Foreign { .. })));
    }
}

#[test]
fn an_edited_list_does_not_lead_out_of_the_set() {
    let (set, archive) = scene();
    archive.stage(&set, RESTORE).unwrap();
    let list = set.at(".strongroom").join(RESTORE).join("actions");
    let text = fs::read_to_string(&list).unwrap();
    let (head, _) = text.split_once('\n').unwrap();
    let before = (set.tree(), outside(&set));
    let link = |set: &Set| symlink(set.outside(), set.at("link")).unwrap();
    link(&set);
    let before = (with_link(&set, before.0), before.1);
    for path in
        [r#""../outside/gone""#, r#""/etc/passwd""#, r#""a/../../outside/gone""#, r#"{"$bytes":"Li4="}"#]
    {
        let line = format!(r#"{{"take":{{"slot":0,"path":{path}}}}}"#);
        fs::write(&list, format!("{head}\n{line}\n")).unwrap();
        let swapped = set.target().swap(RESTORE);
        assert!(matches!(swapped, Err(FilesError::Foreign { .. })), "{path}: {swapped:?}");
    }
    let slot = r#"{"take":{"slot":"../../../outside/x","path":"a/gone"}}"#;
    let long = format!(r#"{{"take":{{"slot":0,"path":"{}"}}}}"#, "a".repeat(40_000));
    for line in [slot, &long, "{}", "null", "\0"] {
        fs::write(&list, format!("{head}\n{line}\n")).unwrap();
        assert!(matches!(set.target().swap(RESTORE), Err(FilesError::Foreign { .. })));
    }
    // A link within the set is not followed either.
    for line in [r#"{"take":{"slot":9,"path":"link/gone"}}"#, r#"{"folder":{"path":"link/made"}}"#] {
        fs::write(&list, format!("{head}\n{line}\n")).unwrap();
        let swapped = set.target().swap(RESTORE);
        assert!(matches!(swapped, Err(FilesError::InTheWay { .. })), "{swapped:?}");
    }
    assert_eq!((set.tree(), outside(&set)), before);
    fs::write(&list, "").unwrap();
    assert!(matches!(set.target().swap(RESTORE), Err(FilesError::Foreign { .. })));
}

fn with_link(set: &Set, mut tree: Tree) -> Tree {
    tree.extend(set.tree().into_iter().filter(|(path, _)| path == "link"));
    tree
}

#[test]
fn a_staged_file_that_was_changed_is_not_swapped_in() {
    let (set, archive) = scene();
    archive.stage(&set, RESTORE).unwrap();
    let before = set.tree();
    fs::write(set.at(".strongroom").join(RESTORE).join("files/0"), "other").unwrap();
    assert!(matches!(set.target().swap(RESTORE), Err(FilesError::Foreign { .. })));
    assert_eq!(set.tree(), before);
}

#[test]
fn an_id_is_no_path() {
    let (set, _) = scene();
    fs::create_dir_all(set.at(".strongroom")).unwrap();
    fs::set_permissions(set.at(".strongroom"), fs::Permissions::from_mode(0o700)).unwrap();
    for id in ["", ".", "..", "../../outside", "a/b", "a\0", &"a".repeat(65)] {
        assert!(matches!(set.target().discard(id, Marker::Applied), Err(FilesError::Defect(_))), "{id:?}");
        assert!(matches!(set.target().state_of(id), Err(FilesError::Defect(_))), "{id:?}");
    }
}

#[test]
fn deep_folders_that_were_displaced_are_removed_with_few_descriptors() {
    let (set, _) = scene();
    let mut at = rustix::fs::open(set.at(""), FOLDER, rustix::fs::Mode::empty()).unwrap();
    for _ in 0..1_900 {
        rustix::fs::mkdirat(&at, "d", rustix::fs::Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, "d", FOLDER, rustix::fs::Mode::empty()).unwrap();
    }
    rustix::fs::mknodat(&at, "f", rustix::fs::FileType::RegularFile, rustix::fs::Mode::RUSR, 0).unwrap();
    symlink(set.outside(), set.at("a/link")).unwrap();
    fs::remove_file(set.at("a/link")).unwrap();
    Archive::of(Mode::Replace, &[("d", "file")]).apply(&set, RESTORE);
    assert_eq!(set.read("d"), "file");
    assert!(set.target().discard(RESTORE, Marker::Applied).unwrap());
    assert!(set.has_nothing_of_ours());
}

const FOLDER: rustix::fs::OFlags = rustix::fs::OFlags::RDONLY.union(rustix::fs::OFlags::DIRECTORY);
