use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

fn source(folder: &TempDir) -> FilesSource {
    FilesSource { name: "recs".into(), path: folder.path().join("inside"), group: None, restore_owner: None }
}

/// `inside/a/b/file`, and beside it a folder that the service can read but that is not part of the set.
fn folders() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for side in ["inside", "outside"] {
        fs::create_dir_all(folder.path().join(side).join("a/b")).unwrap();
        fs::write(folder.path().join(side).join("a/b/file"), side).unwrap();
    }
    folder
}

#[test]
fn a_folder_that_becomes_a_link_after_the_listing_is_not_read_through() {
    for swapped in ["a", "a/b", "a/b/file"] {
        let folder = folders();
        let set = source(&folder).walk().unwrap();
        let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
        fs::rename(inside.join(swapped), folder.path().join("aside")).unwrap();
        symlink(outside.join(swapped), inside.join(swapped)).unwrap();
        // Even a link to the same inode is refused.
        fs::remove_file(outside.join("a/b/file")).unwrap();
        let moved = match swapped {
            "a" => "aside/b/file",
            "a/b" => "aside/file",
            _ => "aside",
        };
        fs::hard_link(folder.path().join(moved), outside.join("a/b/file")).unwrap();
        let Err(error) = set.open(&set.files()[0]) else { panic!("{swapped} was read") };
        assert!(matches!(error, Error::FileReplaced { .. }), "{swapped}: {error}");
    }
}

#[test]
fn the_directory_is_the_one_that_was_opened() {
    let folder = folders();
    let set = source(&folder).walk().unwrap();
    fs::rename(folder.path().join("inside"), folder.path().join("aside")).unwrap();
    symlink(folder.path().join("outside"), folder.path().join("inside")).unwrap();
    let mut text = String::new();
    set.open(&set.files()[0]).unwrap().unwrap().file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "inside");
}

#[test]
fn a_file_that_is_gone_is_told_from_one_that_was_replaced() {
    let folder = folders();
    let set = source(&folder).walk().unwrap();
    let file = folder.path().join("inside/a/b/file");
    fs::remove_file(&file).unwrap();
    assert!(set.open(&set.files()[0]).unwrap().is_none());
    super::root::tests::make_pipe(&file);
    assert!(matches!(set.open(&set.files()[0]), Err(Error::FileReplaced { .. })), "and nobody waits");
}

#[test]
fn the_folder_of_restores_is_no_part_of_the_set() {
    let folder = folders();
    let inside = folder.path().join("inside");
    for path in [".strongroom", "a/.strongroom"] {
        fs::create_dir_all(inside.join(path)).unwrap();
        fs::write(inside.join(path).join("staged"), "staged").unwrap();
    }
    let set = source(&folder).walk().unwrap();
    let paths: Vec<_> = set.files().iter().map(ListedFile::shown).collect();
    assert_eq!(paths, ["a/.strongroom/staged", "a/b/file"], "only at the top");
    assert!(set.record().skipped.is_empty());
}

#[test]
fn mode_and_time_are_those_of_the_file_that_was_opened() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folders();
    let set = source(&folder).walk().unwrap();
    let file = folder.path().join("inside/a/b/file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4711)).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_789);
    fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    let open = set.open(&set.files()[0]).unwrap().unwrap();
    assert_eq!(
        (open.mode & 0o7777, &*open.modified_at.to_string()),
        (0o4711, "2001-09-09T01:46:40.123456789Z")
    );
}

#[test]
fn a_path_that_cannot_be_opened_in_one_step_is_a_limit() {
    let folder = folders();
    let name = "d".repeat(255);
    let mut at = rustix::fs::open(folder.path().join("inside"), OPEN, rustix::fs::Mode::empty()).unwrap();
    for _ in 0..15 {
        rustix::fs::mkdirat(&at, &name, rustix::fs::Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, &name, OPEN, rustix::fs::Mode::empty()).unwrap();
    }
    let make = |bytes: usize| {
        let flags = rustix::fs::OFlags::CREATE.union(rustix::fs::OFlags::WRONLY);
        rustix::fs::openat(&at, "f".repeat(bytes), flags, rustix::fs::Mode::RUSR).unwrap();
    };
    make(255);
    let set = source(&folder).walk().unwrap();
    assert_eq!(set.files()[1].path.as_bytes().len(), 4095);
    assert!(set.open(&set.files()[1]).unwrap().is_some());
    rustix::fs::mkdirat(&at, "g".repeat(255), rustix::fs::Mode::RWXU).unwrap();
    at = rustix::fs::openat(&at, "g".repeat(255), OPEN, rustix::fs::Mode::empty()).unwrap();
    let make = |name: &str| rustix::fs::mkdirat(&at, name, rustix::fs::Mode::RWXU).unwrap();
    make("h");
    let Err(error) = source(&folder).walk() else { panic!("it was listed") };
    assert!(matches!(error, Error::FileLimit { .. }), "{error}");
}

const OPEN: rustix::fs::OFlags = rustix::fs::OFlags::RDONLY.union(rustix::fs::OFlags::DIRECTORY);
