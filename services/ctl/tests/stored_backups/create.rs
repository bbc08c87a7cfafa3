//! A backup is started and watched to its end, which is not always the end of the command.

use strongroom_api::backup::v1::create_backup_request::Seal;
use strongroom_api::backup::v1::{Backup, BackupCopyState, BackupState};
use tonic::Status;

use crate::fake::{Fake, ID, State, backup, copy};
use crate::operator::{ended, interrupt, run, strongroom, until};

fn watches(said: Vec<Vec<Result<Backup, Status>>>) -> State {
    State { watches: said.into(), backups: vec![backup(BackupState::Available)], ..State::default() }
}

#[tokio::test]
async fn a_backup_is_watched_to_its_end_although_the_watch_breaks() {
    let creating = || Ok(backup(BackupState::Creating));
    let broken = vec![creating(), Err(Status::unavailable("the service stops"))];
    let said = vec![broken, vec![creating()], vec![creating(), Ok(backup(BackupState::Available))]];
    let (fake, url) = Fake::serve(watches(said)).await;
    let folder = tempfile::tempdir().unwrap();
    let line = ["backup", "create", "--include", "audit", "--since", "2030-01-01T00:00:00Z", "--plain"];
    let created =
        run(&url, folder.path(), &[&line[..], &["--destination", "a,b", "-o", "json"]].concat()).await;
    assert_eq!(created.code, 0, "{}", created.said);
    let printed: serde_json::Value = serde_json::from_str(&created.out).unwrap();
    assert_eq!((&printed["id"], &printed["state"]), (&ID.into(), &"BACKUP_STATE_AVAILABLE".into()));
    let state = fake.state();
    assert_eq!(state.asked.iter().filter(|asked| asked.starts_with("watch")).count(), 3);
    let request = state.created.as_ref().unwrap();
    assert_eq!(
        (&*request.include, &*request.destinations),
        (&["audit".into()][..], &["a".into(), "b".into()][..])
    );
    assert_eq!(request.since.unwrap().seconds, 1_893_456_000);
    assert_eq!(request.seal, Some(Seal::Plain(true)));
}

#[tokio::test]
async fn a_copy_that_failed_is_the_end_of_the_command_with_1() {
    let mut stored = backup(BackupState::Available);
    let mut failed = copy("offsite", BackupCopyState::Failed);
    (failed.reason, failed.problem) =
        ("DESTINATION_DENIED".into(), "the bucket refuses the credentials".into());
    stored.copies.push(failed);
    let (_fake, url) = Fake::serve(watches(vec![vec![Ok(stored)]])).await;
    let folder = tempfile::tempdir().unwrap();
    let created = run(&url, folder.path(), &["backup", "create"]).await;
    assert_eq!(created.code, 1);
    assert!(created.out.contains("offsite") && created.out.contains("rk-1"), "{}", created.out);
    let sentence =
        "stored in local, and not in offsite (the bucket refuses the credentials [DESTINATION_DENIED])";
    assert!(created.said.contains(sentence), "{}", created.said);
}

#[tokio::test]
async fn a_backup_that_failed_says_why() {
    let mut failed = backup(BackupState::Failed);
    (failed.reason, failed.problem) = ("DATABASE_UNAVAILABLE".into(), "the source gateway is away".into());
    let (_fake, url) = Fake::serve(watches(vec![vec![Ok(failed)]])).await;
    let folder = tempfile::tempdir().unwrap();
    let watched = run(&url, folder.path(), &["backup", "watch", ID]).await;
    assert_eq!(watched.code, 1);
    assert!(watched.said.contains("the source gateway is away [DATABASE_UNAVAILABLE]"), "{}", watched.said);
}

#[tokio::test]
async fn nobody_has_to_wait() {
    let (fake, url) = Fake::serve(State::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let created = run(&url, folder.path(), &["backup", "create", "--no-wait"]).await;
    assert_eq!((created.code, fake.state().asked.len()), (0, 1), "{}", created.said);
    assert!(created.out.contains("state: creating"), "{}", created.out);
}

#[tokio::test]
async fn ctrl_c_ends_the_waiting_and_says_that_the_backup_goes_on() {
    let (fake, url) = Fake::serve(State::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let child = strongroom(&url, folder.path(), &["backup", "create"]).spawn().unwrap();
    until(|| fake.state().asked.len() == 2).await;
    interrupt(&child).await;
    let interrupted = ended(child).await;
    assert_eq!(interrupted.code, 1);
    let advice = format!("the backup continues; `strongroom backup watch {ID}`");
    assert!(interrupted.said.contains(&advice), "{}", interrupted.said);
}
