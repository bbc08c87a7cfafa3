//! Drills with a whole service: they find every kind of fault in a backup.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::drill_service_client::DrillServiceClient;
use strongroom_api::backup::v1::{BackupState, DrillOutcome, DrillState};
use strongroom_crypto::Token;
use strongroom_runtime::client::AuthorizedChannel;
use strongroom_runtime::status::reason_of;
use strongroom_testkit::{ManualClock, TestDb};
use tempfile::TempDir;
use tonic::{Code, Status};

use crate::support::stored::{Kind, Stored, destination, files};
use crate::support::vault::GATEWAY_KID;
use crate::support::vault::keys::good_value;
use crate::support::{database, pooler::pooler};

const PATIENCE: Duration = Duration::from_secs(60);
const PERMISSIONS: [&str; 2] = ["backup.verify", "backup.list"];

type Client = DrillServiceClient<AuthorizedChannel>;

/// A service with a folder for scratch databases.
struct Drilled {
    stored: Stored,
    client: Client,
    token: Token,
}

impl Drilled {
    async fn start() -> Self {
        Self::of(database::folder().await, "").await
    }

    /// With `source` added to its configuration.
    async fn of(folder: TempDir, source: &str) -> Self {
        let scratch = folder.path().join("scratch");
        std::fs::create_dir(&scratch).unwrap();
        let destination = destination("offsite", folder.path(), None);
        let config = format!("{source}\n{destination}\n[drill]\nscratch_dir = '{}'\n", scratch.display());
        Self::with(Stored::with(folder, None, "", &config).await)
    }

    fn with(stored: Stored) -> Self {
        let token = Token::generate();
        let client = DrillServiceClient::new(stored.service.channel(&token, &PERMISSIONS));
        Self { stored, client, token }
    }

    fn folder(&self) -> &Path {
        self.stored.service.folder.path()
    }

    async fn begin(&mut self, backup: &str) -> Result<proto::Drill, Status> {
        let request = proto::RunDrillRequest { backup_id: backup.to_owned() };
        Ok(self.client.run_drill(request).await?.into_inner().drill.unwrap())
    }

    /// Runs a drill to its end.
    async fn run(&mut self, backup: &str) -> proto::Drill {
        let id = self.begin(backup).await.unwrap().id;
        self.ended(id).await
    }

    async fn ended(&mut self, id: String) -> proto::Drill {
        let began = Instant::now();
        loop {
            let request = proto::GetDrillRequest { id: id.clone() };
            let drill = self.client.get_drill(request).await.unwrap().into_inner().drill.unwrap();
            if drill.state() != DrillState::Running {
                assert!(files(&self.folder().join("scratch")).is_empty(), "nothing is left");
                return drill;
            }
            assert!(began.elapsed() < PATIENCE, "{drill:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Asserts that the drill failed by this check first and names the problem.
fn assert_failed(drill: &proto::Drill, check: &str, problem: &str) {
    assert_eq!((drill.state(), &*drill.reason), (DrillState::Failed, "DRILL_FAILED"), "{drill:?}");
    assert!(drill.problem.contains(check) && drill.problem.contains(problem), "{}", drill.problem);
    let failed = drill.checks.iter().filter(|found| found.outcome() == DrillOutcome::Failed);
    let names: Vec<_> = failed.map(|found| found.name.as_str()).collect();
    assert_eq!(names.first(), Some(&check), "{drill:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_restores_passes_with_evidence_in_the_audit_log() {
    let mut all = Drilled::start().await;
    let backup = all.stored.available().await;
    let drill = all.run("").await;
    assert_eq!((drill.state(), &*drill.problem), (DrillState::Passed, ""), "{drill:?}");
    assert_eq!((&*drill.backup_id, &*drill.file_name), (&*backup.id, &*backup.file_name));
    assert_eq!(drill.creator, format!("token:{}", all.token.id()));
    let found = |name: &str, source: &str| {
        let check = drill.checks.iter().find(|check| check.name == name && check.source == source);
        check.unwrap_or_else(|| panic!("{name} of {source}: {drill:?}")).clone()
    };
    for name in ["archive", "values", "references", "history", "canary"] {
        assert_eq!(found(name, "").outcome(), DrillOutcome::Passed, "{name}");
    }
    for name in ["restore", "rows", "digests", "foreign_keys"] {
        assert_eq!(found(name, "gateway").outcome(), DrillOutcome::Passed, "{name}");
    }
    assert_eq!(found("rows", "gateway").detail, "2 tables, 3 rows");
    assert!(found("digests", "gateway").duration.is_some());
    assert_eq!(found("restore", "vault").outcome(), DrillOutcome::Skipped);
    let event = all.stored.vault().wait_for("backup.drilled").await;
    assert_eq!((event.actor, event.target), (drill.creator.clone(), backup.file_name));
    let checks = &event.metadata["checks"];
    assert!(checks.contains(r#""check":"digests""#) && checks.contains(r#""ms":"#), "{checks}");
    let listed = all.client.list_drills(proto::ListDrillsRequest::default()).await.unwrap().into_inner();
    let [one] = listed.drills.as_slice() else { panic!("{listed:?}") };
    assert!(one.id == drill.id && one.checks.is_empty() && listed.next_page_token.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_fails() {
    let mut all = Drilled::start().await;
    let backup = all.stored.available().await;
    let object = all.stored.objects().join(&backup.copies[0].key);
    let mut bytes = std::fs::read(&object).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    all.stored.replace(&object, &bytes);
    assert_failed(&all.run(&backup.id).await, "archive", "SHA-256");
}

/// The storage returns last week's file instead of this week's; in the second case the catalogue agrees with the old
/// file.
#[tokio::test(flavor = "multi_thread")]
async fn last_weeks_archive_fails() {
    let mut all = Drilled::start().await;
    let old = all.stored.available().await;
    let new = all.stored.available().await;
    let objects = all.stored.objects();
    let bytes = std::fs::read(objects.join(&old.copies[0].key)).unwrap();
    all.stored.replace(&objects.join(&new.copies[0].key), &bytes);
    assert_failed(&all.run(&new.id).await, "archive", "SHA-256");

    let content = all.stored.service.folder.path().join("backup.db");
    let stored = all.stored.restarted(|_| {}).await;
    run_sql(
        &content,
        &format!(
            "UPDATE backups SET content = json_set(content,
                '$.sha256', (SELECT json_extract(content, '$.sha256') FROM backups WHERE id = '{0}'),
                '$.size_bytes', (SELECT json_extract(content, '$.size_bytes') FROM backups WHERE id = '{0}'))
             WHERE id = '{1}'",
            old.id, new.id
        ),
    )
    .await;
    let mut all = Drilled::with(stored);
    assert_failed(&all.run(&new.id).await, "canary", "it is a different archive");
    assert_eq!(all.run(&old.id).await.state(), DrillState::Passed);
}

/// The catalogue records how many rows each table had.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_other_rows_than_when_the_backup_was_made_fails() {
    let mut all = Drilled::start().await;
    let backup = all.stored.available().await;
    let file = all.folder().join("backup.db");
    run_sql(&file, "UPDATE backups SET content = json_set(content, '$.table_rows.users', 4)").await;
    assert_failed(&all.run(&backup.id).await, "rows", "table users had 4 rows");
}

/// The schedule's earlier backups reveal it.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_emptied_since_the_last_backup_fails() {
    let mut all = Drilled::start().await;
    let token = Token::generate();
    let permissions = ["backup.create", "schedule.create", "schedule.run"];
    let channel = all.stored.service.channel(&token, &permissions);
    let mut schedules = proto::schedule_service_client::ScheduleServiceClient::new(channel);
    let name = "nightly".to_owned();
    let cron = "0 3 * * *".to_owned();
    let create = proto::CreateScheduleRequest { name: name.clone(), cron, ..Default::default() };
    schedules.create_schedule(create).await.unwrap();
    for emptied in [false, true] {
        if emptied {
            database::run(all.folder(), "DELETE FROM users").await;
        }
        let request = proto::RunScheduleRequest { name: name.clone() };
        let id = schedules.run_schedule(request).await.unwrap().into_inner().backup.unwrap().id;
        let made = |backup: &proto::Backup| backup.state() == proto::BackupState::Available;
        all.stored.until(&id, made).await;
        let drill = all.run(&id).await;
        assert_eq!(drill.schedule, "nightly");
        if emptied {
            assert_failed(&drill, "history", "users");
        } else {
            assert_eq!(drill.state(), DrillState::Passed, "{drill:?}");
        }
    }
}

/// Its key version was destroyed or belongs to another vault.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_whose_key_is_missing_fails() {
    const SEALED: &str =
        "[[sources.encrypted_columns]]\ncolumn = 'secrets.value'\nkey = 'gateway'\naad = '{id}'\n";
    let folder = database::folder().await;
    let (fine, lost) = (good_value(GATEWAY_KID, "1"), good_value("ffffffffffffffff", "2"));
    let sql = format!(
        "CREATE TABLE secrets (id INTEGER PRIMARY KEY, value TEXT); INSERT INTO secrets VALUES (1, '{fine}')"
    );
    database::run(folder.path(), &sql).await;
    let mut all = Drilled::of(folder, SEALED).await;
    all.stored.available().await;
    let drill = all.run("").await;
    let values = drill.checks.iter().find(|check| check.name == "values").unwrap();
    assert!(values.detail.contains("3 sealed values"), "{drill:?}");
    database::run(all.folder(), &format!("INSERT INTO secrets VALUES (2, '{lost}')")).await;
    all.stored.available().await;
    assert_failed(&all.run("").await, "values", "would not open");
}

/// SQLite allows applications to do this.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_that_leads_nowhere_fails() {
    let folder = database::folder().await;
    let sql = "CREATE TABLE orders (id INTEGER PRIMARY KEY, person INTEGER REFERENCES users (id));
        INSERT INTO orders VALUES (1, 2);";
    database::run(folder.path(), sql).await;
    let mut all = Drilled::of(folder, "").await;
    all.stored.available().await;
    assert_eq!(all.run("").await.state(), DrillState::Passed);
    database::run(all.folder(), "PRAGMA foreign_keys = OFF; INSERT INTO orders VALUES (2, 99)").await;
    all.stored.available().await;
    let drill = all.run("").await;
    assert_failed(&drill, "references", "users");
    let own = drill.checks.iter().find(|check| check.name == "foreign_keys").unwrap();
    assert!(own.problem.contains("1 row of orders refers to missing rows of users"), "{drill:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_drilled_is_refused_with_the_reason() {
    let mut all = Drilled::start().await;
    for (id, code, reason) in [
        ("", Code::FailedPrecondition, "NO_BACKUP"),
        ("0197e0a1-0000-7000-8000-00000000000a", Code::NotFound, "BACKUP_NOT_FOUND"),
    ] {
        let refused = all.begin(id).await.unwrap_err();
        assert_eq!((refused.code(), &*reason_of(&refused)), (code, reason), "{refused:?}");
    }
    let request = proto::GetDrillRequest { id: "0197e0a1-0000-7000-8000-00000000000a".into() };
    let refused = all.client.get_drill(request).await.unwrap_err();
    assert_eq!(reason_of(&refused), "DRILL_NOT_FOUND");
    let backup = all.stored.available().await;
    all.stored.delete(&backup.id).await.unwrap();
    let refused = all.begin(&backup.id).await.unwrap_err();
    assert_eq!(reason_of(&refused), "BACKUP_DELETED");

    let mut without = Drilled::with(Stored::start(Kind::Folder, "").await);
    without.stored.available().await;
    let refused = without.begin("").await.unwrap_err();
    assert_eq!(reason_of(&refused), "NO_SCRATCH");
    assert!(refused.message().contains("scratch_dir"), "{}", refused.message());
}

/// The folder or the server is unavailable: the drill ends and reports that it could not be done.
#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_cannot_be_done_says_why() {
    let mut all = Drilled::start().await;
    all.stored.available().await;
    std::fs::remove_dir(all.folder().join("scratch")).unwrap();
    let drill = all.run("").await;
    assert_eq!((drill.state(), &*drill.reason), (DrillState::NotDone, "SCRATCH_REFUSED"), "{drill:?}");
    let folder = all.folder().join("scratch").display().to_string();
    assert!(drill.problem.contains(&folder) && drill.problem.contains("it must exist"), "{}", drill.problem);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_goes_by_and_the_newest_backup_is_drilled_in_the_creators_name() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    const NOON: i64 = 1_796_040_000_000_000;
    let mut all = Drilled::start().await;
    let clock = ManualClock::at(NOON);
    all.stored = all.stored.by_clock(Arc::new(clock.clone())).await;
    all = Drilled::with(all.stored);
    let permissions = ["backup.create", "backup.verify", "schedule.create", "schedule.list"];
    let token = Token::generate();
    let channel = all.stored.service.channel(&token, &permissions);
    let mut schedules = proto::schedule_service_client::ScheduleServiceClient::new(channel);
    let month = prost_types::Duration { seconds: 30 * 24 * 3600, nanos: 0 };
    let request = proto::CreateScheduleRequest {
        name: "nightly".into(),
        cron: "0 3 * * *".into(),
        drill_every: Some(month),
        ..Default::default()
    };
    schedules.create_schedule(request).await.unwrap();
    clock.advance(DAY);
    let began = Instant::now();
    let until_drilled = async |all: &mut Drilled, count: usize| loop {
        let listed = all.client.list_drills(proto::ListDrillsRequest::default()).await.unwrap().into_inner();
        let done = listed.drills.iter().all(|drill| drill.state() != DrillState::Running);
        if listed.drills.len() >= count && done {
            assert_eq!(listed.drills.len(), count, "{listed:?}");
            return listed.drills;
        }
        assert!(began.elapsed() < 2 * PATIENCE, "{listed:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let first = until_drilled(&mut all, 1).await.remove(0);
    assert_eq!((first.state(), &*first.schedule), (DrillState::Passed, "nightly"), "{first:?}");
    assert_eq!(first.creator, format!("token:{}", token.id()));
    clock.advance(DAY);
    let seen = proto::GetScheduleRequest { name: "nightly".into() };
    let schedule = schedules.get_schedule(seen).await.unwrap().into_inner().schedule.unwrap();
    assert_eq!(schedule.last_drill.unwrap().id, first.id);
    clock.advance(30 * DAY);
    let second = until_drilled(&mut all, 2).await.remove(0);
    assert_ne!(second.backup_id, first.backup_id);
}

/// If the drill of an older backup did not count for its schedule, every check would start another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_drill_counts_for_the_schedule_where_the_file_of_a_newer_backup_is_gone() {
    let mut all = Drilled::start().await;
    let permissions = ["backup.create", "schedule.create", "schedule.run"];
    let channel = all.stored.service.channel(&Token::generate(), &permissions);
    let mut schedules = proto::schedule_service_client::ScheduleServiceClient::new(channel);
    let request = proto::CreateScheduleRequest {
        name: "nightly".into(),
        cron: "0 3 * * *".into(),
        ..Default::default()
    };
    schedules.create_schedule(request).await.unwrap();
    let mut made = Vec::new();
    for _ in 0..2 {
        let request = proto::RunScheduleRequest { name: "nightly".into() };
        let id = schedules.run_schedule(request).await.unwrap().into_inner().backup.unwrap().id;
        made.push(all.stored.until(&id, |backup| backup.state() == BackupState::Available).await);
    }
    assert_eq!(all.run(&made[0].id).await.schedule, "", "it says nothing about the newer one");
    std::fs::remove_file(all.stored.objects().join(&made[1].copies[0].key)).unwrap();
    assert_eq!(all.stored.scan().await.missing, 1);
    let drill = all.run("").await;
    assert_eq!((drill.state(), &*drill.backup_id), (DrillState::Passed, &*made[0].id), "{drill:?}");
    assert_eq!(drill.schedule, "nightly");
}

/// A live database under another name and at another address.
#[tokio::test(flavor = "multi_thread")]
async fn a_scratch_database_that_is_a_live_one_is_refused() {
    let Some(live) = TestDb::postgres() else { return };
    live.run("CREATE TABLE people (id int PRIMARY KEY); INSERT INTO people VALUES (1)");
    let name = live.url_text().rsplit('/').next().unwrap().to_owned();
    let server = live.url_text().replace(&name, "postgres");
    // The pooler answers with the live database for every scratch database.
    let by_name =
        {
            let name = name.clone();
            pooler(&server, move |asked| {
                if asked.starts_with("strongroom_drill_") { name.clone() } else { asked.to_owned() }
            })
        };
    // The pooler answers with the scratch database for the source's own.
    let newest = Arc::new(TestDb::postgres().unwrap());
    let by_address = {
        let name = name.clone();
        pooler(live.url_text(), move |_| {
            let sql = "SELECT coalesce(max(datname), '') FROM pg_database WHERE datname LIKE 'strongroom\\_drill\\_%'";
            match newest.text(sql) {
                none if none.is_empty() => name.clone(),
                scratch => scratch,
            }
        })
    };
    for (scratch, source, problem) in [
        (by_name, live.url_text().to_owned(), "the database that answers to this name is"),
        (server, by_address, "it is the live database of source platform"),
    ] {
        let folder = database::folder().await;
        let destination = destination("offsite", folder.path(), None);
        let own = folder.path().join("scratch");
        let config = format!(
            "[[sources]]\nname = 'platform'\nkind = 'postgres'\nurl = '{source}'\n{destination}\n\
             [drill]\nscratch_url = '{scratch}'\nscratch_dir = '{}'\n",
            own.display()
        );
        std::fs::create_dir(folder.path().join("scratch")).unwrap();
        let mut all = Drilled::with(Stored::with(folder, None, "", &config).await);
        all.stored.available().await;
        let drill = all.run("").await;
        assert_eq!((drill.state(), &*drill.reason), (DrillState::NotDone, "NOT_SCRATCH"), "{drill:?}");
        assert!(drill.problem.contains(problem), "{}", drill.problem);
        assert_eq!(live.number("SELECT count(*) FROM people"), 1);
        assert_eq!(live.number("SELECT count(*) FROM pg_class WHERE relname LIKE '%strongroom%'"), 0);
    }
}

async fn run_sql(file: &Path, sql: &str) {
    use sqlx::{AssertSqlSafe, Connection as _};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
