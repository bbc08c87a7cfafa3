//! Reasons to refuse a restore.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use strongroom_tables::load::Mode;

use super::super::owner::own_user;
use super::super::{FilesError, WantedFiles};
use super::{Archive, OTHER, RESTORE, Set, file};
use crate::error::Error;

const MODES: [Mode; 3] = [Mode::IntoEmpty, Mode::Merge, Mode::Replace];

#[test]
fn a_set_that_must_be_empty_has_no_file() {
    let set = Set::create(&[("a/b", "x")]);
    let archive = Archive::of(Mode::IntoEmpty, &[("c", "x")]);
    let refusals = archive.inspect(&set).refusals;
    assert_eq!((refusals.len(), refusals[0].reason), (1, "FILES_NOT_EMPTY"));
    assert!(refusals[0].message.contains(r#""a/b" exists"#), "{}", refusals[0].message);
    fs::remove_file(set.at("a/b")).unwrap();
    assert!(archive.reasons(&set).is_empty(), "folders may be there");
}

#[test]
fn links_and_special_files_are_never_replaced() {
    for mode in MODES {
        let set = Set::create(&[]);
        symlink(set.outside(), set.at("a")).unwrap();
        fs::create_dir(set.at("f")).unwrap();
        crate::sources::files::root::tests::make_pipe(&set.at("f/pipe"));
        for wanted in ["a", "a/b", "a/b/c", "f/pipe", "f/pipe/x"] {
            let archive = Archive::of(mode, &[(wanted, "x")]);
            assert_eq!(archive.reasons(&set), ["FILE_IN_THE_WAY"], "{mode:?} {wanted}");
        }
        assert!(matches!(
            Archive::of(mode, &[("a", "x")]).stage(&set, RESTORE),
            Err(Error::Files(FilesError::Refused { .. }))
        ));
        assert!(set.has_nothing_of_ours());
    }
    // A link inside a folder that would be removed.
    let set = Set::create(&[("a/b/c", "x")]);
    symlink("c", set.at("a/b/link")).unwrap();
    assert_eq!(Archive::of(Mode::Replace, &[("a", "x")]).reasons(&set), ["FILE_IN_THE_WAY"]);
}

#[test]
fn a_merge_does_not_change_files_into_folders() {
    let set = Set::create(&[("file", "x"), ("folder/x", "x")]);
    assert_eq!(Archive::of(Mode::Merge, &[("file/a", "x")]).reasons(&set), ["FILE_IN_THE_WAY"]);
    assert_eq!(Archive::of(Mode::Merge, &[("folder", "x")]).reasons(&set), ["FILE_IN_THE_WAY"]);
}

#[test]
fn an_archive_of_some_files_replaces_nothing() {
    let set = Set::create(&[]);
    let archive = Archive::of(Mode::Replace, &[("a", "x")]);
    let partial = |mode| {
        let files = vec![file("a", "x").0];
        Archive { wanted: Arc::new(WantedFiles { mode, files, is_partial: true }), ..Archive::of(mode, &[]) }
    };
    assert!(archive.reasons(&set).is_empty());
    assert_eq!(partial(Mode::Replace).reasons(&set), ["PARTIAL_SET"]);
    assert!(partial(Mode::Merge).reasons(&set).is_empty());
}

#[test]
fn paths_of_a_strange_archive_are_refused() {
    let set = Set::create(&[]);
    let long = "n".repeat(256);
    for (paths, reason) in [
        (&[".strongroom"][..], "PATH_RESERVED"),
        (&[".strongroom/x/marker"], "PATH_RESERVED"),
        (&["a", "a"], "PATH_TWICE"),
        (&["a", "a/b/c"], "PATH_TWICE"),
        (&[&long], "NAME_TOO_LONG"),
    ] {
        let archive = Archive::create(Mode::Replace, paths.iter().map(|path| file(path, "x")));
        assert_eq!(archive.reasons(&set), [reason], "{paths:?}");
    }
    assert!(Archive::of(Mode::Replace, &[("a/.strongroom", "x")]).reasons(&set).is_empty());
    let many = (0..60).map(|at| {
        file(
            vec![at + b'0'; 4095]
                .iter()
                .enumerate()
                .map(|(i, c)| if i % 2 == 0 { *c } else { b'/' })
                .collect::<Vec<u8>>(),
            "",
        )
    });
    assert_eq!(Archive::create(Mode::Replace, many).reasons(&set), ["TOO_MANY_FILES"]);
}

#[test]
fn room_is_looked_for_first() {
    let set = Set::create(&[]);
    let mut huge = file("a", "x");
    huge.0.bytes = 1 << 60;
    let refusals = Archive::create(Mode::IntoEmpty, [huge]).inspect(&set).refusals;
    assert_eq!(refusals[0].reason, "DISK_SPACE");
    assert!(refusals[0].message.starts_with("1152921504606846976 bytes are needed"), "{refusals:?}");
}

#[test]
fn another_file_system_below_the_set_is_refused() {
    let device = |path: &str| fs::metadata(path).map(|data| std::os::unix::fs::MetadataExt::dev(&data)).ok();
    if device("/dev") == device("/dev/shm") || device("/dev/shm").is_none() || own_user() != 0 {
        return;
    }
    let source = super::super::FilesSource { path: "/dev".into(), ..Set::create(&[]).source() };
    let archive = Archive::of(Mode::Merge, &[("shm/strongroom-test", "x")]);
    let refusals = source.target().unwrap().inspect(&archive.wanted).unwrap().refusals;
    assert_eq!((refusals.len(), refusals[0].reason), (1, "OTHER_FILE_SYSTEM"), "{refusals:?}");
    assert!(refusals[0].message.starts_with("shm is on another file system"));
}

#[test]
fn an_owner_must_exist_and_the_root_folders_owner_is_looked_at() {
    let mut set = Set::create(&[]);
    let archive = Archive::of(Mode::IntoEmpty, &[("a", "x")]);
    assert!(archive.inspect(&set).warnings.is_empty());
    set.owner = Some("nobody-of-that-name:0".into());
    let refusals = archive.inspect(&set).refusals;
    assert_eq!(refusals[0].reason, "RESTORE_OWNER");
    assert!(refusals[0].message.contains("there is no user"), "{refusals:?}");
    set.owner = None;
    if own_user() == 0 {
        std::os::unix::fs::chown(set.at(""), Some(1234), None).unwrap();
        let warnings = archive.inspect(&set).warnings;
        assert!(warnings[0].contains("belongs to user 1234: restore_owner sets"), "{warnings:?}");
    }
}

#[test]
fn one_restore_at_a_time() {
    let set = Set::create(&[]);
    let archive = Archive::of(Mode::Merge, &[("a", "x")]);
    archive.stage(&set, RESTORE).unwrap();
    assert_eq!(archive.reasons(&set), ["OTHER_RESTORE"]);
    assert!(archive.stage(&set, OTHER).is_err());
    set.target().swap(RESTORE).unwrap();
    assert!(archive.reasons(&set).is_empty(), "one that is applied is in nobody's way");
}

#[test]
fn the_directory_is_the_planned_one() {
    let set = Set::create(&[("a", "x")]);
    let fingerprint = set.target().fingerprint().unwrap();
    fs::rename(set.at(""), set.outside().join("aside")).unwrap();
    fs::create_dir(set.at("")).unwrap();
    let archive = Archive::of(Mode::Merge, &[("a", "x")]);
    let staged = set.target().stage(&archive.wanted, &fingerprint, RESTORE);
    assert!(matches!(staged, Err(Error::Files(FilesError::Stale(_)))));
    assert!(set.has_nothing_of_ours());
}

/// Runs this program again as an unprivileged user, with a test that is ignored otherwise.
#[test]
fn a_user_without_rights_is_refused_in_the_plan() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;

    if own_user() != 0 {
        return;
    }
    let set = Set::create(&[("locked/a", "old")]);
    std::os::unix::fs::chown(set.at(""), Some(65534), Some(65534)).unwrap();
    for path in ["", "locked/a"] {
        fs::set_permissions(set.at(path), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(set.at("").parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = std::env::current_exe().unwrap();
    // That user may have no access to the program's own folder.
    let copy = set.outside().join("program");
    fs::copy(program, &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    let name = "sources::files::restoring::tests::refusals::inspected_without_rights";
    let output = std::process::Command::new(&copy)
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env("STRONGROOM_TEST_SET", set.at(""))
        .current_dir("/")
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "run by the one above"]
fn inspected_without_rights() {
    let path = std::env::var_os("STRONGROOM_TEST_SET").unwrap().into();
    let mut source = super::super::FilesSource { path, ..Set::create(&[]).source() };
    let archive = Archive::of(Mode::Replace, &[("locked/a", "new"), ("open", "new")]);
    let refusals = source.target().unwrap().inspect(&archive.wanted).unwrap().refusals;
    assert_eq!((refusals.len(), refusals[0].reason), (1, "NOT_WRITABLE"), "{refusals:?}");
    assert!(refusals[0].message.contains("has no right to write to locked"));
    source.restore_owner = Some("0:0".into());
    let refusals = source.target().unwrap().inspect(&archive.wanted).unwrap().refusals;
    assert_eq!(refusals[1].reason, "RESTORE_OWNER", "{refusals:?}");
    assert!(refusals[1].message.contains("CAP_CHOWN"));
    source.restore_owner = Some("65534:65534".into());
    assert_eq!(source.target().unwrap().inspect(&archive.wanted).unwrap().refusals.len(), 1);
}
