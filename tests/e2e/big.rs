//! A big table is streamed: bounded memory and no intermediate file.

use std::path::Path;
use std::process::Stdio;

use e2e::{Archive, Deployment, bulk_table, long, source, tool};
use strongroom_testkit::TestDb;

use crate::unhurried::ABOVE_IDLE;

#[test]
fn a_big_table_exports_in_bounded_memory_without_a_temporary_file() {
    let rows = if long() { 1_000_000 } else { 100_000 };
    let Some(db) = TestDb::postgres() else { return };
    bulk_table(&db, rows);
    let vault_database = TestDb::sqlite();
    let deployment = Deployment::start(vault_database.url_text(), &source("gateway", &db, &[]));
    let out = deployment.path("backup.zip");
    let idle = deployment.backup.peak_memory();
    let mut export =
        deployment.admin.command(&["backup", "export", "--plain", "--out", out.to_str().unwrap()]);
    let mut client = export.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = loop {
        assert_no_temporary_file(&deployment.temporary_folder(), deployment.backup.pid());
        if let Some(status) = client.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert!(status.success(), "{}", deployment.backup.log());
    let held = deployment.backup.peak_memory() - idle;
    assert!(held < ABOVE_IDLE, "the backup service held {} MiB more than idle", held >> 20);
    assert_no_temporary_file(&deployment.temporary_folder(), deployment.backup.pid());

    let verified = deployment.admin.json(&["archive", "verify", out.to_str().unwrap()]);
    assert_eq!(verified["tables"]["big"], rows.to_string());
    let archive = Archive::at(&out);
    if let Some(unzip) = tool::tool("unzip") {
        let _ = tool::run(unzip, &["-tqq", archive.path.to_str().unwrap()]);
    }
}

/// Asserts that the service has no temporary file, neither in its folder for them nor as an open, already deleted file.
/// It waits, because the check of the dependency `staging` has such a file for a moment.
fn assert_no_temporary_file(folder: &Path, pid: u32) {
    e2e::eventually("no temporary file", e2e::PATIENCE, || {
        let is_empty = folder.read_dir().unwrap().next().is_none();
        (is_empty && deleted_files(pid).is_empty()).then_some(())
    });
}

fn deleted_files(pid: u32) -> Vec<String> {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    // A descriptor may already be closed.
    let targets = descriptors.filter_map(|descriptor| std::fs::read_link(descriptor.ok()?.path()).ok());
    let targets = targets.map(|target| target.to_string_lossy().into_owned());
    targets.filter(|target| target.starts_with('/') && target.ends_with(" (deleted)")).collect()
}
