use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// `inside/a/b/file`, which may be read, and `outside/a/b/file`, which must never be read through it.
fn folders() -> (TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    for (side, text) in [("inside", "ours"), ("outside", "private")] {
        let deep = folder.path().join(side).join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("file"), text).unwrap();
    }
    let root = Root::open(&folder.path().join("inside")).unwrap();
    (folder, root)
}

/// Replaces `path` with a link to the outside.
fn swap(folder: &TempDir, path: &str) {
    let inside = folder.path().join("inside").join(path);
    fs::rename(&inside, folder.path().join("aside")).unwrap();
    symlink(folder.path().join("outside").join(path), inside).unwrap();
}

fn names(root: &Root, path: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    root.list(Path::new(path), |found| {
        names.push(found.name.to_string_lossy().into_owned());
        Ok::<_, io::Error>(())
    })?;
    Ok(names)
}

type Opening = fn(&Root, &Path, OFlags) -> Result<OwnedFd, Errno>;
const OPENINGS: [Opening; 2] = [Root::open_at_once, Root::open_by_steps];

#[test]
fn files_are_opened_by_both_ways() {
    let (_folder, root) = folders();
    for opening in OPENINGS {
        let mut text = String::new();
        let mut file = File::from(opening(&root, Path::new("a/b/file"), FILE).unwrap());
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "ours");
        assert!(look_at(&file).unwrap().is_some());
        assert!(opening(&root, Path::new("."), FOLDER).is_ok());
    }
    assert_eq!(
        (names(&root, "").unwrap(), names(&root, "a/b").unwrap()),
        (vec!["a".into()], vec!["file".into()])
    );
}

#[test]
fn a_link_in_any_place_of_the_path_is_refused() {
    for path in ["a", "a/b", "a/b/file"] {
        let (folder, root) = folders();
        swap(&folder, path);
        for opening in OPENINGS {
            let error = opening(&root, Path::new("a/b/file"), FILE).unwrap_err();
            assert!(is_elsewhere(&error.into()), "{path}: {error}");
        }
    }
    for path in ["a", "a/b"] {
        let (folder, root) = folders();
        swap(&folder, path);
        let error = names(&root, "a/b").unwrap_err();
        assert!(is_elsewhere(&error), "{path}: {error}");
    }
}

#[test]
fn a_pipe_is_opened_without_waiting_and_is_no_file() {
    let (folder, root) = folders();
    let pipe = folder.path().join("inside/pipe");
    make_pipe(&pipe);
    let file = root.open_file(Path::new("pipe")).unwrap();
    assert_eq!(look_at(&file).unwrap(), None);
}

#[test]
fn times_that_no_timestamp_has_become_the_nearest_one() {
    let (_folder, root) = folders();
    let mut stat = rustix::fs::fstat(root.open_file(Path::new("a/b/file")).unwrap()).unwrap();
    for (seconds, expected) in [(-1, "1969-12-31T23:59:59.5Z"), (1 << 31, "2038-01-19T03:14:08.5Z")] {
        (stat.st_mtime, stat.st_mtime_nsec) = (seconds, 500_000_000);
        assert_eq!(modified_at(&stat).to_string(), expected);
    }
    for (seconds, expected) in [(i64::MIN, Timestamp::MIN), (i64::MAX, Timestamp::MAX)] {
        stat.st_mtime = seconds;
        assert_eq!(modified_at(&stat), expected);
    }
}

/// Does not start the program `mkfifo`, because a starting process holds the locks of other tests for a moment.
pub(crate) fn make_pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR.union(Mode::WUSR), 0).unwrap();
}
