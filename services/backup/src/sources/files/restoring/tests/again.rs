//! Comparing a restored set with its own archive.

use strongroom_tables::load::Mode;

use super::{Archive, OTHER, RESTORE, Set};

/// Callers run on blocking threads.
#[test]
fn what_is_called_moves_between_threads() {
    fn moves<T: Send + 'static>() {}
    moves::<super::super::FilesTarget>();
    moves::<super::super::stage::FilesStage>();
    moves::<super::super::undo::FilesRolledBack>();
}

#[test]
fn an_entry_says_what_is_wanted() {
    use strongroom_archive::manifest::{EntryKind, EntryRecord};

    let mut record = EntryRecord::new("files/recs/a/b", EntryKind::File);
    (record.bytes, record.mode) = (7, Some("4755".into()));
    let (set, wanted) = super::super::WantedFile::of(&record).unwrap();
    assert_eq!((set, wanted.path.as_bytes(), wanted.bytes), ("recs", &b"a/b"[..], 7));
    assert_eq!((wanted.mode, wanted.restored_mode(), wanted.has_set_id()), (Some(0o4755), 0o755, true));
    assert!(super::super::WantedFile::of(&EntryRecord::new("tables/a.json", EntryKind::Table)).is_none());
}

#[test]
fn a_second_restore_finds_nothing_to_do() {
    let files = [("a", "one"), ("b/c", "two")];
    let set = Set::create(&[("other", "x")]);
    Archive::of(Mode::Replace, &files).apply(&set, RESTORE);
    let tree = set.tree();
    let second = Archive::of(Mode::Replace, &files);
    let planned = second.inspect(&set);
    assert_eq!(planned.engine, "directory");
    assert_eq!((planned.changes.kept, planned.needed_bytes, planned.changes.examples.len()), (2, 0, 0));
    second.apply(&set, OTHER);
    assert_eq!(set.tree(), tree);
}

#[test]
fn examples_are_bounded_and_so_are_their_keys() {
    let set = Set::create(&[]);
    let long = format!("{}ü", "n".repeat(197));
    let files = (0..150).map(|at| super::file(format!("{at:03}/{long}"), "x"));
    let examples = Archive::create(Mode::Replace, files).inspect(&set).changes.examples;
    assert_eq!(examples.len(), 100);
    assert!(examples.iter().all(|example| example.key.len() <= 200 && example.key.starts_with("[\"")));
}
