//! File sets: thousands of small files and a huge one are exported in bounded memory, and open again unchanged.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use e2e::{Deployment, int64, long};
use strongroom_testkit::TestDb;

use crate::unhurried::ABOVE_IDLE;

#[test]
fn thousands_of_recordings_and_a_huge_one_come_back() {
    let (count, huge) = if long() { (5_000, 3_u64 << 30) } else { (1_000, 2 * ABOVE_IDLE) };
    let folder = tempfile::tempdir().unwrap();
    for number in 0..count {
        let day = folder.path().join(day(number));
        std::fs::create_dir_all(&day).unwrap();
        std::fs::write(day.join(format!("{number}.cast")), recording(number)).unwrap();
    }
    let vault_database = TestDb::sqlite();
    let section = format!(
        "[[sources]]\nname = \"sessions\"\nkind = \"files\"\npath = \"{}\"\n\n\
         [[sources.optional]]\nname = \"recordings\"\n",
        folder.path().display()
    );
    let deployment = Deployment::start(vault_database.url_text(), &section);
    let out = deployment.path("backup.zip");
    let out = out.to_str().unwrap();
    let export = ["backup", "export", "--plain", "--include", "recordings", "--out", out];
    let idle = deployment.backup.peak_memory();
    assert_eq!(deployment.admin.json(&export)["files"], count.to_string());
    let many = deployment.backup.peak_memory() - idle;
    assert!(many < ABOVE_IDLE, "many files took {} MiB more than idle", many >> 20);

    make_sparse(&folder.path().join("huge.cast"), huge);
    std::fs::remove_file(out).unwrap();
    assert_eq!(deployment.admin.json(&export)["files"], (count + 1).to_string());
    // The same bound: memory does not depend on the size of a file, and the file is larger than the bound.
    let huge_too = deployment.backup.peak_memory() - idle;
    assert!(huge_too < ABOVE_IDLE, "the huge file took {} MiB more than idle", huge_too >> 20);

    let verified = deployment.admin.json(&["archive", "verify", out]);
    assert_eq!(verified["files"], (count + 1).to_string());
    let opened = deployment.path("opened");
    let report = deployment.admin.json(&["archive", "open", out, "--out", opened.to_str().unwrap()]);
    assert!(int64(&report["entries"]) > i64::from(count), "{report}");
    let opened = opened.join("files/sessions");
    for number in 0..count {
        let file = opened.join(day(number)).join(format!("{number}.cast"));
        assert_eq!(std::fs::read(file).unwrap(), recording(number), "{number}");
    }
    check_sparse(&opened.join("huge.cast"), huge);
}

fn day(number: i32) -> String {
    format!("{:02}", number % 30)
}

fn recording(number: i32) -> Vec<u8> {
    format!("{{\"version\":2,\"session\":{number}}}\n").repeat(1 + number as usize % 50).into_bytes()
}

/// Creates a sparse file with data at both ends.
fn make_sparse(path: &Path, bytes: u64) {
    let mut file = File::create(path).unwrap();
    file.write_all(b"first").unwrap();
    file.seek(SeekFrom::Start(bytes - 4)).unwrap();
    file.write_all(b"last").unwrap();
}

fn check_sparse(path: &Path, bytes: u64) {
    let mut file = File::open(path).unwrap();
    assert_eq!(file.metadata().unwrap().len(), bytes);
    let mut ends = [0; 9];
    file.read_exact(&mut ends[..5]).unwrap();
    file.seek(SeekFrom::Start(bytes - 4)).unwrap();
    file.read_exact(&mut ends[5..]).unwrap();
    assert_eq!(&ends, b"firstlast");
}
