//! Nothing is deleted by accident.

use strongroom_api::backup::v1::BackupState;

use crate::fake::{Fake, ID, State, backup};
use crate::operator::{at_a_terminal, run};

const DELETE: [&str; 3] = ["backup", "delete", ID];

async fn one() -> (Fake, String) {
    Fake::serve(State { backups: vec![backup(BackupState::Available)], ..State::default() }).await
}

#[tokio::test]
async fn without_a_terminal_it_needs_yes() {
    let (fake, url) = one().await;
    let folder = tempfile::tempdir().unwrap();
    let refused = run(&url, folder.path(), &DELETE).await;
    assert_eq!(refused.code, 2);
    assert!(refused.said.contains("needs --yes"), "{}", refused.said);
    assert!(fake.state().asked.is_empty());

    let deleted = run(&url, folder.path(), &[&DELETE[..], &["--yes"]].concat()).await;
    assert_eq!(deleted.code, 0, "{}", deleted.said);
    assert!(deleted.out.contains("state: deleted"), "{}", deleted.out);
}

#[tokio::test]
async fn at_a_terminal_it_shows_what_will_be_lost_and_asks() {
    let (fake, url) = one().await;
    let folder = tempfile::tempdir().unwrap();
    for no in ["no", "y", ""] {
        let kept = at_a_terminal(&url, folder.path(), no, &DELETE).await;
        assert_eq!(kept.code, 1, "{no:?}: {}", kept.said);
        assert!(kept.said.contains("nothing was changed"), "{}", kept.said);
        assert_eq!(fake.state().asked.last().unwrap(), &format!("get {ID}"));
    }
    let deleted = at_a_terminal(&url, folder.path(), "yes", &DELETE).await;
    assert_eq!(deleted.code, 0, "{}", deleted.said);
    for shown in ["app-backup-2026-05-06-101422.zip.age", "2.00 KiB", "local", "backup undelete", "type yes"]
    {
        assert!(deleted.said.contains(shown), "{}", deleted.said);
    }
    // The deletion carries the etag of the displayed state, so it cannot delete a backup that has changed since.
    assert_eq!(fake.state().asked.last().unwrap(), "etag \"7\"");
}

#[tokio::test]
async fn a_backup_on_hold_is_not_deleted() {
    let (fake, url) = one().await;
    let folder = tempfile::tempdir().unwrap();
    let held = run(&url, folder.path(), &["backup", "hold", ID, "-o", "json"]).await;
    assert!(held.code == 0 && held.out.contains("\"hold\": true"), "{}", held.out);
    let refused = run(&url, folder.path(), &[&DELETE[..], &["--yes"]].concat()).await;
    assert_eq!(refused.code, 1);
    assert!(refused.said.contains("[BACKUP_HELD]"), "{}", refused.said);
    for command in ["unhold", "undelete"] {
        assert_eq!(run(&url, folder.path(), &["backup", command, ID]).await.code, 0, "{command}");
    }
    assert!(!fake.state().backups[0].hold);
}
