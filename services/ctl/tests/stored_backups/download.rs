//! A download over connections that break and processes that end.

use std::path::Path;

use strongroom_api::backup::v1::BackupState;

use crate::fake::{Fake, ID, State, backup};
use crate::operator::{ended, interrupt, run, strongroom, until};

const DOWNLOAD: [&str; 5] = ["backup", "download", ID, "--out", "b.zip.age"];
const SIZE: usize = 3_000_000;

fn stored() -> State {
    State {
        backups: vec![backup(BackupState::Available)],
        content: (0..SIZE).map(|at| (at * at / 7) as u8).collect(),
        etag: "\"1\"".into(),
        cut_after: usize::MAX,
        ..State::default()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn again(options: &[&'static str]) -> Vec<&'static str> {
    [&DOWNLOAD[..], options].concat()
}

/// Leaves a million bytes behind, like a killed process.
async fn killed_midway(fake: &Fake, url: &str, folder: &Path) {
    (fake.state().cut_after, fake.state().hangs) = (1_000_000, true);
    let mut child = strongroom(url, folder, &DOWNLOAD).spawn().unwrap();
    let partial = folder.join("b.zip.age.partial");
    until(|| partial.metadata().is_ok_and(|known| known.len() == 1_000_000)).await;
    child.kill().await.unwrap();
    (fake.state().cut_after, fake.state().hangs) = (usize::MAX, false);
    assert_eq!(names(folder), ["b.zip.age.partial", "b.zip.age.partial.state"]);
}

#[tokio::test]
async fn a_connection_that_breaks_is_taken_up_again() {
    let (fake, url) = Fake::serve(State { cut_after: 1_300_000, ..stored() }).await;
    let folder = tempfile::tempdir().unwrap();
    let downloaded = run(&url, folder.path(), &again(&["-o", "json"])).await;
    assert_eq!(downloaded.code, 0, "{}", downloaded.said);
    let printed: serde_json::Value = serde_json::from_str(&downloaded.out).unwrap();
    assert_eq!((&printed["sizeBytes"], &printed["out"]), (&SIZE.to_string().into(), &"b.zip.age".into()));
    assert!(std::fs::read(folder.path().join("b.zip.age")).unwrap() == fake.state().content);
    assert_eq!(names(folder.path()), ["b.zip.age"]);
    let expected =
        ["0  ", "1300000 \"1\" local", "2600000 \"1\" local"].map(|rest| format!("download {ID} {rest}"));
    assert_eq!(fake.state().asked, expected);
}

#[tokio::test]
async fn a_killed_download_is_resumed() {
    let (fake, url) = Fake::serve(stored()).await;
    let folder = tempfile::tempdir().unwrap();
    killed_midway(&fake, &url, folder.path()).await;
    let resumed = run(&url, folder.path(), &again(&["--resume"])).await;
    assert_eq!(resumed.code, 0, "{}", resumed.said);
    assert_eq!(fake.state().asked.last().unwrap(), &format!("download {ID} 1000000 \"1\" local"));
    assert!(std::fs::read(folder.path().join("b.zip.age")).unwrap() == fake.state().content);
    assert_eq!(names(folder.path()), ["b.zip.age"]);
}

#[tokio::test]
async fn ctrl_c_says_how_the_download_is_resumed() {
    let (fake, url) = Fake::serve(State { cut_after: 1_000_000, hangs: true, ..stored() }).await;
    let folder = tempfile::tempdir().unwrap();
    let child = strongroom(&url, folder.path(), &DOWNLOAD).spawn().unwrap();
    let partial = folder.path().join("b.zip.age.partial");
    until(|| partial.metadata().is_ok_and(|known| known.len() == 1_000_000)).await;
    interrupt(&child).await;
    let interrupted = ended(child).await;
    assert_eq!(interrupted.code, 1);
    assert!(interrupted.said.contains(&format!("{} --resume", DOWNLOAD.join(" "))), "{}", interrupted.said);
    (fake.state().cut_after, fake.state().hangs) = (usize::MAX, false);
    assert_eq!(run(&url, folder.path(), &again(&["--resume"])).await.code, 0);
    assert!(std::fs::read(folder.path().join("b.zip.age")).unwrap() == fake.state().content);
}

#[tokio::test]
async fn a_backup_that_changed_begins_again() {
    let (fake, url) = Fake::serve(stored()).await;
    let folder = tempfile::tempdir().unwrap();
    killed_midway(&fake, &url, folder.path()).await;
    fake.state().etag = "\"2\"".into();
    let refused = run(&url, folder.path(), &again(&["--resume"])).await;
    assert_eq!(refused.code, 1);
    assert!(refused.said.contains("[BACKUP_CHANGED]"), "{}", refused.said);
    assert_eq!(names(folder.path()), ["b.zip.age.partial", "b.zip.age.partial.state"]);
    // The new file is shorter than the partial one.
    fake.state().content.truncate(500_000);
    let whole = run(&url, folder.path(), &DOWNLOAD).await;
    assert_eq!(whole.code, 0, "{}", whole.said);
    assert!(std::fs::read(folder.path().join("b.zip.age")).unwrap() == fake.state().content);
}

#[tokio::test]
async fn what_is_there_is_replaced_only_with_force() {
    let (fake, url) = Fake::serve(stored()).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("b.zip.age"), "old").unwrap();
    let refused = run(&url, folder.path(), &DOWNLOAD).await;
    assert!(refused.code == 1 && refused.said.contains("--force"), "{}", refused.said);
    assert!(fake.state().asked.is_empty());
    assert_eq!(run(&url, folder.path(), &again(&["--force"])).await.code, 0);
    std::fs::remove_file(folder.path().join("b.zip.age")).unwrap();

    killed_midway(&fake, &url, folder.path()).await;
    let other = ID.replace("00a", "00b");
    let line = ["backup", "download", &other, "--out", "b.zip.age"];
    for options in [&[][..], &["--resume"]] {
        let refused = run(&url, folder.path(), &[&line[..], options].concat()).await;
        assert!(refused.code == 1 && refused.said.contains("is a part of the backup"), "{}", refused.said);
    }
    let forced = run(&url, folder.path(), &[&line[..], &["--resume", "--force"]].concat()).await;
    assert_eq!(forced.code, 0, "{}", forced.said);
}

#[tokio::test]
async fn a_folder_takes_the_backup_s_name_and_standard_output_takes_the_bytes() {
    let (fake, url) = Fake::serve(State { cut_after: 2_000_000, ..stored() }).await;
    let folder = tempfile::tempdir().unwrap();
    let into_folder = run(&url, folder.path(), &["backup", "download", ID, "--out", "."]).await;
    assert_eq!(into_folder.code, 0, "{}", into_folder.said);
    assert_eq!(names(folder.path()), ["app-backup-2026-05-06-101422.zip.age"]);

    let mut piped = strongroom(&url, folder.path(), &["backup", "download", ID, "--out", "-"]);
    let output = piped.output().await.unwrap();
    assert!(output.status.success() && output.stdout == fake.state().content);
    let usage = run(&url, folder.path(), &["backup", "download", ID, "--out", "-", "--resume"]).await;
    assert_eq!(usage.code, 2, "{}", usage.said);
}
