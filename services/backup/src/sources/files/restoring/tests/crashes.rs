//! A process that ends at each step, with and without the call that exchanges two files.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use strongroom_tables::load::Mode;

use super::super::moment::{hook, unhook};
use super::super::{FilesError, Marker};
use super::fixture::Tree;
use super::{Archive, RESTORE, Set};
use crate::error::Error;

/// Each kind of change, and a file that stays.
fn scene() -> (Set, Archive) {
    let set = Set::create(&[
        ("changed", "old 1"),
        ("deep/er/changed", "old 2"),
        ("gone", "old 3"),
        ("folder/a", "old 4"),
        ("folder/b/c", "old 5"),
        ("file", "old 6"),
    ]);
    let archive = Archive::of(
        Mode::Replace,
        &[
            ("changed", "new 1"),
            ("deep/er/changed", "new 2"),
            ("created", "new 3"),
            ("made/by/us", "new 4"),
            ("folder", "new 5"),
            ("file/now/deep", "new 6"),
        ],
    );
    (set, archive)
}

/// Ends the process at the `nth` place reached, and returns the number of places.
fn ends_at(nth: usize, has_exchange: bool) -> Rc<Cell<usize>> {
    let reached = Rc::new(Cell::new(0));
    let count = Rc::clone(&reached);
    hook(move |place| {
        if matches!(place, "files.exchange" | "files.rename") {
            return if has_exchange { Ok(()) } else { Err(io::Error::from_raw_os_error(22)) };
        }
        count.set(count.get() + 1);
        if count.get() == nth { Err(io::Error::other("the process ends here")) } else { Ok(()) }
    });
    reached
}

fn go_on(has_exchange: bool) {
    ends_at(usize::MAX, has_exchange);
}

/// Each path has its old or its new content, and nothing from another path.
fn is_old_or_new(tree: &Tree, old: &Tree, new: &Tree) {
    for (path, entry) in tree {
        let is_either = old.get(path) == Some(entry) || new.get(path) == Some(entry);
        assert!(is_either || entry.time.is_none(), "{path}: {entry:?}");
    }
    let files = old.iter().filter(|(_, entry)| entry.time.is_some()).map(|(path, _)| path);
    for path in files.filter(|path| new.get(*path).is_some_and(|entry| entry.time.is_some())) {
        assert!(tree.contains_key(path), "{path} is away");
    }
}

fn is_ended<T: std::fmt::Debug>(done: &Result<T, FilesError>) -> bool {
    matches!(done, Err(FilesError::Failed { source, .. }) if source.to_string().contains("ends here"))
}

fn goal() -> Tree {
    let (set, archive) = scene();
    archive.apply(&set, RESTORE);
    set.tree()
}

#[test]
fn a_swap_that_ends_anywhere_goes_on_or_is_taken_back() {
    let new = goal();
    for has_exchange in [true, false] {
        for nth in 1.. {
            let mut ends = 0;
            for takes_back in [false, true] {
                unhook();
                let (set, archive) = scene();
                let old = set.tree();
                archive.stage(&set, RESTORE).unwrap();
                let reached = ends_at(nth, has_exchange);
                let done = set.target().swap(RESTORE);
                ends = reached.get();
                is_old_or_new(&set.tree(), &old, &new);
                go_on(has_exchange);
                let state = set.target().state_of(RESTORE).unwrap().unwrap();
                assert!(is_ended(&done) || done.is_ok(), "{nth}: {done:?}");
                if !takes_back {
                    set.target().swap(RESTORE).unwrap();
                    assert_eq!(set.tree(), new, "{nth}");
                    set.target().roll_back(RESTORE, false).unwrap();
                } else if state == Marker::Staged {
                    assert_eq!(set.tree(), old, "{nth}");
                    assert!(matches!(
                        set.target().roll_back(RESTORE, true),
                        Err(FilesError::NotApplied { .. })
                    ));
                    assert!(set.target().discard(RESTORE, Marker::Staged).unwrap());
                } else {
                    set.target().check_roll_back(RESTORE, false).unwrap();
                    set.target().roll_back(RESTORE, false).unwrap();
                }
                assert_eq!(set.tree(), old, "{nth} {has_exchange} {takes_back}");
                assert!(set.has_nothing_of_ours(), "{nth}");
            }
            if ends < nth {
                assert!(nth > 15, "only {nth} steps");
                break;
            }
        }
    }
    unhook();
}

#[test]
fn a_rollback_that_ends_anywhere_is_made_again() {
    let new = goal();
    for has_exchange in [true, false] {
        for nth in 1.. {
            unhook();
            let (set, archive) = scene();
            let old = set.tree();
            archive.apply(&set, RESTORE);
            let reached = ends_at(nth, has_exchange);
            let done = set.target().roll_back(RESTORE, false);
            let ends = reached.get();
            is_old_or_new(&set.tree(), &old, &new);
            go_on(has_exchange);
            let state = set.target().state_of(RESTORE).unwrap();
            if state.is_some() {
                assert!(is_ended(&done), "{nth}: {done:?}");
                if state == Some(Marker::Swapping) {
                    let forward = set.target().swap(RESTORE);
                    assert!(matches!(forward, Err(FilesError::RollingBack { .. })), "{forward:?}");
                }
                set.target().check_roll_back(RESTORE, false).unwrap();
                set.target().roll_back(RESTORE, false).unwrap();
            } else {
                assert!(set.target().discard(RESTORE, Marker::Applied).unwrap(), "twice is harmless");
            }
            assert_eq!(set.tree(), old, "{nth} {has_exchange}");
            assert!(set.has_nothing_of_ours(), "{nth}");
            if ends < nth {
                assert!(nth > 15, "only {nth} steps");
                break;
            }
        }
    }
    unhook();
}

#[test]
fn a_stage_that_ends_anywhere_is_discarded_and_changes_nothing() {
    for has_exchange in [true, false] {
        for nth in 1.. {
            unhook();
            let (set, archive) = scene();
            let old = set.tree();
            let reached = ends_at(nth, has_exchange);
            let done = archive.stage(&set, RESTORE);
            let ends = reached.get();
            go_on(has_exchange);
            assert_eq!(set.tree(), old, "{nth}");
            let state = set.target().state_of(RESTORE).unwrap();
            if done.is_err() && state.is_some() {
                assert_eq!(state, Some(Marker::Staged));
                let swapped = archive.stage(&set, RESTORE);
                assert!(matches!(swapped, Err(Error::Files(_))), "it is not staged twice");
            }
            assert!(set.target().discard(RESTORE, Marker::Staged).unwrap());
            assert_eq!(set.target().state_of(RESTORE).unwrap(), None);
            assert!(set.has_nothing_of_ours(), "{nth}");
            // The same id can be staged again.
            archive.apply(&set, RESTORE);
            if ends < nth {
                assert!(nth > 15, "only {nth} steps");
                break;
            }
        }
    }
    unhook();
}

#[test]
fn a_discard_that_ends_anywhere_is_made_again() {
    for nth in 1..4 {
        unhook();
        let (set, archive) = scene();
        archive.apply(&set, RESTORE);
        let new = set.tree();
        ends_at(nth, true);
        let done = set.target().discard(RESTORE, Marker::Applied);
        unhook();
        assert_eq!(is_ended(&done), nth < 3);
        assert!(set.target().discard(RESTORE, Marker::Applied).unwrap());
        assert_eq!(set.tree(), new);
        assert!(set.has_nothing_of_ours(), "{nth}");
    }
}

#[test]
fn only_what_the_caller_knows_is_discarded() {
    let (set, archive) = scene();
    archive.stage(&set, RESTORE).unwrap();
    assert!(!set.target().discard(RESTORE, Marker::Applied).unwrap());
    set.target().swap(RESTORE).unwrap();
    assert!(!set.target().discard(RESTORE, Marker::Staged).unwrap());
    assert!(matches!(set.target().discard(RESTORE, Marker::Swapping), Err(FilesError::Defect(_))));
    assert!(set.target().discard(RESTORE, Marker::Applied).unwrap());
    assert!(set.has_nothing_of_ours());
}

#[test]
fn a_stage_that_was_not_kept_is_not_swapped() {
    let (set, archive) = scene();
    let fingerprint = set.target().fingerprint().unwrap();
    let mut stage = set.target().stage(&archive.wanted, &fingerprint, RESTORE).unwrap();
    stage.add(0, &mut &b"new 1"[..]).unwrap();
    assert!(matches!(set.target().swap(RESTORE), Err(FilesError::Locked { .. })), "it is being staged");
    assert!(matches!(set.target().discard(RESTORE, Marker::Staged), Err(FilesError::Locked { .. })));
    assert!(matches!(stage.keep(), Err(FilesError::Defect(_))), "files are missing");
    assert!(matches!(set.target().swap(RESTORE), Err(FilesError::NotStaged { .. })));
    assert!(matches!(set.target().swap("none"), Err(FilesError::NotStaged { .. })));
}

#[test]
fn a_lock_that_is_released_soon_is_waited_for() {
    let (set, archive) = scene();
    let fingerprint = set.target().fingerprint().unwrap();
    let stage = set.target().stage(&archive.wanted, &fingerprint, RESTORE).unwrap();
    std::thread::scope(|threads| {
        threads.spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(30));
            drop(stage);
        });
        assert!(matches!(set.target().swap(RESTORE), Err(FilesError::NotStaged { .. })));
    });
}

#[test]
fn what_is_not_the_manifests_content_is_not_staged() {
    let (set, archive) = scene();
    let fingerprint = set.target().fingerprint().unwrap();
    let mut stage = set.target().stage(&archive.wanted, &fingerprint, RESTORE).unwrap();
    for (at, content) in ["newer 1", "new", "old 3"].into_iter().enumerate() {
        let added = stage.add(at, &mut content.as_bytes());
        assert!(matches!(added, Err(FilesError::Content { .. })), "{content}: {added:?}");
    }
}
