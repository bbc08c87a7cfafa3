//! Schedules of a whole service, whose clock the tests set.

use std::sync::Arc;
use std::time::Duration;

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::schedule_service_client::ScheduleServiceClient;
use strongroom_api::backup::v1::{BackupState, RetentionPolicy};
use strongroom_crypto::Token;
use strongroom_runtime::client::AuthorizedChannel;
use strongroom_testkit::ManualClock;

use crate::support::database;
use crate::support::stored::{Kind, Stored};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// 2026-11-30, a Monday, at noon.
const NOON: i64 = 1_796_040_000_000_000;
const PATIENCE: Duration = Duration::from_secs(60);

const PERMISSIONS: [&str; 7] = [
    "backup.create",
    "backup.delete",
    "backup.verify",
    "schedule.create",
    "schedule.list",
    "schedule.pause",
    "schedule.run",
];

struct Scheduled {
    stored: Stored,
    clock: ManualClock,
    client: ScheduleServiceClient<AuthorizedChannel>,
    token: Token,
}

impl Scheduled {
    async fn start(backup: &str, change: impl FnOnce(&mut proto::CreateScheduleRequest)) -> Self {
        let clock = ManualClock::at(NOON);
        let stored = Stored::start(Kind::Folder, backup).await.by_clock(Arc::new(clock.clone())).await;
        let token = Token::generate();
        let mut client = ScheduleServiceClient::new(stored.service.channel(&token, &PERMISSIONS));
        let mut request = proto::CreateScheduleRequest {
            name: "nightly".into(),
            cron: "0 3 * * *".into(),
            ..Default::default()
        };
        change(&mut request);
        client.create_schedule(request).await.unwrap();
        Self { stored, clock, client, token }
    }

    async fn schedule(&mut self) -> proto::Schedule {
        let request = proto::GetScheduleRequest { name: "nightly".into() };
        self.client.get_schedule(request).await.unwrap().into_inner().schedule.unwrap()
    }

    /// The schedule's backups, newest first.
    async fn backups(&mut self) -> Vec<proto::Backup> {
        self.stored.list().await.into_iter().filter(|backup| backup.schedule == "nightly").collect()
    }

    /// Waits until `count` of them are stored.
    async fn until_stored(&mut self, count: usize) -> Vec<proto::Backup> {
        let began = std::time::Instant::now();
        loop {
            let backups = self.backups().await;
            let stored = backups.iter().filter(|backup| backup.state() == BackupState::Available).count();
            if stored >= count {
                assert_eq!(stored, count, "{backups:?}");
                return backups;
            }
            assert!(began.elapsed() < PATIENCE, "{backups:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn days_go_by_and_each_has_its_backup_in_the_name_of_the_creator() {
    let mut all = Scheduled::start("", |_| {}).await;
    for day in 1..=3_usize {
        all.clock.advance(DAY);
        let backups = all.until_stored(day).await;
        let principal = format!("token:{}", all.token.id());
        assert_eq!(backups[0].creator, principal);
        assert!(backups[0].due_time.is_some());
    }
    // Four days at once: one run makes up for them.
    all.clock.advance(4 * DAY);
    let backups = all.until_stored(4).await;
    let due = |at: usize| backups[at].due_time.unwrap().seconds;
    assert_eq!(due(0) - due(1), 4 * 24 * 3600);
    all.clock.set(NOON);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(all.backups().await.len(), 4, "a clock that is set back makes no run");
    let schedule = all.schedule().await;
    assert_eq!((schedule.orphan_time, &*schedule.reason), (None, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_backups_are_verified_again_and_a_damaged_one_is_found() {
    let week = prost_types::Duration { seconds: 7 * 24 * 3600, nanos: 0 };
    let mut all = Scheduled::start("", |request| request.verify_every = Some(week)).await;
    all.clock.advance(DAY);
    let backup = all.until_stored(1).await.remove(0);
    assert!(backup.verification.is_none());
    let object = all.stored.objects().join(&backup.copies[0].key);
    let mut bytes = std::fs::read(&object).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    all.stored.replace(&object, &bytes);
    let pause = proto::PauseScheduleRequest { name: "nightly".into() };
    all.client.pause_schedule(pause).await.unwrap();
    all.clock.advance(8 * DAY);
    let resume = proto::ResumeScheduleRequest { name: "nightly".into() };
    all.client.resume_schedule(resume).await.unwrap();
    let began = std::time::Instant::now();
    let verified = loop {
        let backup = all.stored.get(&backup.id).await.unwrap();
        if let Some(verification) = backup.verification {
            break verification;
        }
        assert!(began.elapsed() < PATIENCE, "it is not verified");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(!verified.ok, "{verified:?}");
    let event =
        all.stored.vault().events().into_iter().find(|event| event.event == "backup.verified").unwrap();
    assert_eq!(event.actor, format!("token:{}", all.token.id()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_retention_does_not_want_is_deleted_in_the_creators_name() {
    let policy = RetentionPolicy { daily: 1, ..Default::default() };
    let mut all = Scheduled::start("", |request| request.retention = Some(policy)).await;
    all.clock.advance(DAY);
    let first = all.until_stored(1).await.remove(0);
    all.clock.advance(DAY);
    let began = std::time::Instant::now();
    while all.stored.get(&first.id).await.unwrap().state() != BackupState::Deleted {
        assert!(began.elapsed() < PATIENCE, "it stays");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    all.until_stored(1).await;
    let deleted =
        all.stored.vault().events().into_iter().find(|event| event.event == "backup.deleted").unwrap();
    assert_eq!(deleted.actor, format!("token:{}", all.token.id()));
    assert_eq!(deleted.metadata["retention"], "\"nightly\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_schedule_deletes_nothing_and_a_backup_from_the_future_stops_it() {
    let policy = RetentionPolicy { daily: 1, ..Default::default() };
    let mut all = Scheduled::start("", |request| request.retention = Some(policy)).await;
    let pause = proto::PauseScheduleRequest { name: "nightly".into() };
    all.client.pause_schedule(pause).await.unwrap();
    for count in 1..=2 {
        let run = proto::RunScheduleRequest { name: "nightly".into() };
        all.client.run_schedule(run).await.unwrap();
        all.until_stored(count).await;
        all.clock.advance(Duration::from_secs(60));
    }
    let preview = |client: &ScheduleServiceClient<AuthorizedChannel>| {
        let mut client = client.clone();
        async move {
            let request = proto::PreviewRetentionRequest { name: "nightly".into(), retention: None };
            client.preview_retention(request).await.unwrap().into_inner()
        }
    };
    let shown = preview(&all.client).await;
    let goes: Vec<bool> = shown.fates.iter().map(|fate| fate.goes).collect();
    assert_eq!((goes, &*shown.suspended), (vec![false, true], ""));
    // Longer than the interval between checks.
    tokio::time::sleep(Duration::from_secs(25)).await;
    all.until_stored(2).await;
    all.clock.set(NOON - 1);
    let shown = preview(&all.client).await;
    assert!(shown.suspended.contains("from the future"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_away_puts_the_run_off_and_the_schedule_says_so() {
    let mut all = Scheduled::start("", |_| {}).await;
    all.stored.vault().be_away_for("CheckDelegation");
    all.clock.advance(DAY);
    let began = std::time::Instant::now();
    while all.schedule().await.reason != "VAULT_UNAVAILABLE" {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(all.backups().await.is_empty());
    all.stored.vault().answer_all();
    all.clock.advance(Duration::from_secs(61));
    all.until_stored(1).await;
    assert_eq!(all.schedule().await.reason, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_table_is_said_and_an_empty_database_is_not_stored() {
    let mut all = Scheduled::start("", |_| {}).await;
    let folder = all.stored.service.folder.path().to_owned();
    database::run(&folder, "INSERT INTO empty VALUES (1)").await;
    all.clock.advance(DAY);
    let first = all.until_stored(1).await.remove(0);
    assert!(all.stored.get(&first.id).await.unwrap().content.unwrap().anomalies.is_empty());
    database::run(&folder, "DELETE FROM users").await;
    all.clock.advance(DAY);
    let second = all.until_stored(2).await.remove(0);
    let odd = all.stored.get(&second.id).await.unwrap().content.unwrap().anomalies;
    assert_eq!(odd, ["table users has no rows; it had 3 in the previous backup"]);
    let files = all.stored.files();
    database::run(&folder, "DELETE FROM empty").await;
    all.clock.advance(DAY);
    let began = std::time::Instant::now();
    let failed = loop {
        let newest = all.backups().await.remove(0);
        if newest.state() == BackupState::Failed {
            break newest;
        }
        assert!(began.elapsed() < PATIENCE, "{newest:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(failed.reason, "BACKUP_EMPTY", "{}", failed.problem);
    while all.stored.files() != files {
        assert!(began.elapsed() < PATIENCE, "what was sent is removed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
