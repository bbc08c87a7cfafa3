//! Thousands of files and a huge one beside a database: restored and rolled back as one, in bounded memory, with their
//! content, permissions and times.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use e2e::{eventually, long};
use strongroom_testkit::TestDb;

use crate::dying_restores::restoring::DECLARED;
use crate::dying_restores::site::{Site, is_settled};
use crate::unhurried::ABOVE_IDLE;

const HUGE: &str = "huge.cast";
/// Base of the files' modification times, in seconds since 1970; each file adds its number.
const WRITTEN: u64 = 1_000_000_000;

/// Content, permissions and time, by the number in the file name.
type Files = BTreeMap<u32, (Vec<u8>, u32, SystemTime)>;

#[test]
fn thousands_of_files_and_a_huge_one_are_restored_and_taken_back() {
    let (count, huge) = if long() { (5_000, 3_u64 << 30) } else { (1_000, 2 * ABOVE_IDLE) };
    let folder = recorded(count);
    make_sparse(&folder.path().join(HUGE), huge, b"archived");
    let site = site_of(folder.path());
    let (archived, backup) = (read(folder.path()), site.backed_up_and_changed());
    change(folder.path(), count);
    make_sparse(&folder.path().join(HUGE), huge + 1, b"changed!");
    let changed = read(folder.path());

    let replica = site.start(None);
    let idle = replica.service.peak_memory();
    let id = replica.plan_of(&backup, "s0,recordings");
    let set = &replica.get(&id)["plan"]["sources"][1]["files"];
    let fifth = (count / 5).to_string();
    assert_eq!((&set["created"], &set["deleted"]), (&fifth.as_str().into(), &fifth.as_str().into()), "{set}");
    let _ = replica.operator.run(&["restore", "apply", &id, "--confirm", "dying"]).succeeded();
    assert!(read(folder.path()) == archived && site.targets[0].is_restored());
    check_sparse(&folder.path().join(HUGE), huge, b"archived");
    let _ = replica.operator.run(&["restore", "rollback", &id, "--yes"]).succeeded();
    assert!(read(folder.path()) == changed && !site.targets[0].is_restored());
    check_sparse(&folder.path().join(HUGE), huge + 1, b"changed!");
    let above = replica.service.peak_memory() - idle;
    assert!(above < ABOVE_IDLE, "the restore took {} MiB more than idle", above >> 20);
}

/// The process dies while files are being staged, and early in the swap, when most renames are still to come.
#[test]
fn a_process_that_dies_among_thousands_of_files_leaves_them_to_its_heir() {
    let count = if long() { 5_000 } else { 1_000 };
    let folder = recorded(count);
    let site = site_of(folder.path());
    let (archived, backup) = (read(folder.path()), site.backed_up_and_changed());
    change(folder.path(), count);
    let changed = read(folder.path());
    for place in ["files.added#200", "files.action#200"] {
        let mut dying = site.start(Some(place));
        let id = dying.plan_of(&backup, "s0,recordings");
        dying.dies_during(&["restore", "apply", &id, "--confirm", "dying"]);
        let replica = site.start(None);
        let ended = eventually("it ends", DECLARED, || Some(replica.get(&id)).filter(is_settled));
        let is_new = place.starts_with("files.action");
        let expected = if is_new { &archived } else { &changed };
        assert!(read(folder.path()) == *expected, "{place}: {} {}", ended["state"], ended["problem"]);
        assert_eq!(site.targets[0].is_restored(), is_new, "{place}");
        assert_eq!(folder.path().join(".strongroom").exists(), is_new, "{place}");
    }
}

fn recorded(count: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..count {
        write(folder.path(), number, "recorded", 0o600);
    }
    folder
}

fn site_of(folder: &Path) -> Site {
    let mut site = Site::create(1, TestDb::sqlite, "");
    let path = folder.display();
    site.sources = format!("[[sources]]\nname = \"recordings\"\nkind = \"files\"\npath = \"{path}\"\n\n");
    site
}

/// Of every five files, one is deleted, one is changed and one is added.
fn change(folder: &Path, count: u32) {
    for number in 0..count {
        match number % 5 {
            0 => std::fs::remove_file(name(folder, number)).unwrap(),
            1 => write(folder, number, "changed", 0o640),
            2 => write(folder, number + 2 * count, "new", 0o644),
            _ => {}
        }
    }
}

fn name(folder: &Path, number: u32) -> std::path::PathBuf {
    folder.join(format!("{:02}/{number}.cast", number % 30))
}

fn write(folder: &Path, number: u32, word: &str, mode: u32) {
    let path = name(folder, number);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("{word} {number}\n").repeat(1 + number as usize % 50)).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(WRITTEN + u64::from(number))).unwrap();
}

/// All files except the huge one.
fn read(folder: &Path) -> Files {
    let mut found = Files::new();
    let days = std::fs::read_dir(folder).unwrap().map(|day| day.unwrap());
    for day in days.filter(|day| day.file_name() != HUGE && day.file_name() != ".strongroom") {
        for entry in std::fs::read_dir(day.path()).unwrap().map(|entry| entry.unwrap()) {
            let (path, about) = (entry.path(), entry.metadata().unwrap());
            let number = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
            let mode = about.permissions().mode() & 0o7777;
            found.insert(number, (std::fs::read(&path).unwrap(), mode, about.modified().unwrap()));
        }
    }
    found
}

/// Creates a sparse file with data at both ends.
fn make_sparse(path: &Path, bytes: u64, ends: &[u8; 8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(ends).unwrap();
    file.seek(SeekFrom::Start(bytes - 8)).unwrap();
    file.write_all(ends).unwrap();
}

fn check_sparse(path: &Path, bytes: u64, ends: &[u8; 8]) {
    let mut file = File::open(path).unwrap();
    assert_eq!(file.metadata().unwrap().len(), bytes);
    for place in [0, bytes - 8] {
        let mut found = [0; 8];
        file.seek(SeekFrom::Start(place)).unwrap();
        file.read_exact(&mut found).unwrap();
        assert_eq!(&found, ends);
    }
}
