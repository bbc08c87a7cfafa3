//! A rolling upgrade: the next version's migration runs while this version serves calls, both versions serve at the
//! same time, and this version restarts on the new schema, as in a rollback. No caller sees an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use e2e::{Deployment, Operator, PATIENCE, Service, eventually, free_port, program, repository};
use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_api::vault::v1::{CreateCredentialRequest, ListCredentialsRequest, RevealCredentialRequest};
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_testkit::TestDb;

/// Longer than a migration waits for a lock before it gives way and tries again.
const SNAPSHOT: &str = "
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SELECT count(*) FROM api_tokens;
    SELECT count(*) FROM credentials;
    SELECT pg_sleep(4);
    COMMIT;";

/// Changes that a migration may make: add columns with a default, add tables and indexes, and fill them.
const MIGRATION: &str = "
    DO $$
    DECLARE name text;
    BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations' LOOP
            EXECUTE format('ALTER TABLE %I ADD COLUMN added_later text NOT NULL DEFAULT ''''', name);
        END LOOP;
    END $$;
    CREATE TABLE added_later (id bigint PRIMARY KEY, note text NOT NULL);
    INSERT INTO added_later SELECT 1, 'filled';
    UPDATE credentials SET added_later = display_name;
    CREATE INDEX credentials_by_what_was_added ON credentials (added_later);";

const SECRET: &[u8] = b"sk-live-0123456789abcdef";

/// Callers of one vault, without a pause between calls, until they are stopped.
struct Callers {
    over: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Callers {
    fn of(operator: &Operator) -> Self {
        let (over, served) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let threads = (0..4).map(|caller| {
            let (operator, over, served) = (operator.clone(), Arc::clone(&over), Arc::clone(&served));
            std::thread::spawn(move || call(&operator, caller, &over, &served))
        });
        Self { threads: threads.collect(), over, served }
    }

    /// Waits until 40 more calls have been served.
    fn go_on(&self) {
        let (before, began) = (self.served.load(Ordering::Relaxed), Instant::now());
        while self.served.load(Ordering::Relaxed) < before + 40 {
            assert!(began.elapsed() < PATIENCE, "calls are not served any more");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops the callers. A failed call fails the test here.
    fn stop(self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn call(operator: &Operator, caller: usize, over: &AtomicBool, served: &AtomicUsize) {
    let mut client = client(operator);
    let mut last = String::new();
    for number in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        match number % 3 {
            0 => {
                let create = CreateCredentialRequest {
                    display_name: format!("{caller} {number}"),
                    provider: "openai".into(),
                    secret: SECRET.into(),
                    ..Default::default()
                };
                let answer = client.create_credential(create).await.unwrap().into_inner();
                last = answer.credential.unwrap().id;
            }
            1 => {
                let reveal = RevealCredentialRequest { id: last.clone(), ..Default::default() };
                let answer = client.reveal_credential(reveal).await.unwrap().into_inner();
                assert_eq!(answer.secret, SECRET);
            }
            _ => {
                let list = ListCredentialsRequest { page_size: 10, ..Default::default() };
                assert!(!client.list_credentials(list).await.unwrap().into_inner().credentials.is_empty());
            }
        }
        served.fetch_add(1, Ordering::Relaxed);
    }
}

fn client(operator: &Operator) -> CredentialServiceClient<AuthorizedChannel> {
    let target = Target { url: operator.vault_url.clone(), ..Target::default() };
    CredentialServiceClient::new(target.authorized(Bearer::new(&operator.token).unwrap()).unwrap())
}

/// A second process of the deployment's vault.
fn start_second(deployment: &Deployment) -> (Service, Operator) {
    let port = free_port();
    let mut command = program("strongroom-vault");
    command
        .args(["--config", "vault.toml"])
        .current_dir(deployment.path(""))
        .env("STRONGROOM_VAULT__LISTEN", format!("127.0.0.1:{port}"));
    let mut service = Service::start(&mut command);
    service.wait_until_listening(port);
    let operator = Operator { vault_url: format!("http://127.0.0.1:{port}"), ..deployment.admin.clone() };
    eventually("the second vault is open", PATIENCE, || {
        (operator.run(&["credential", "list"]).code == Some(0)).then_some(())
    });
    (service, operator)
}

/// This version's migrations and one more.
fn next_version() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(repository().join("services/vault/migrations/postgres")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    std::fs::write(folder.path().join("9000_added_later.sql"), MIGRATION).unwrap();
    folder
}

#[test]
fn a_rolling_upgrade_and_its_roll_back_fail_no_call() {
    let Some(database) = TestDb::postgres() else { return };
    let mut deployment = Deployment::start(database.url_text(), "");
    let old = Callers::of(&deployment.admin);
    old.go_on();

    // An export holds its snapshot when the new version starts.
    std::thread::scope(|scope| {
        let snapshot = scope.spawn(|| database.run(SNAPSHOT));
        std::thread::sleep(Duration::from_millis(500));
        let began = Instant::now();
        let migrating = scope.spawn(|| database.migrate(next_version().path()));
        while !migrating.is_finished() {
            old.go_on();
        }
        migrating.join().unwrap();
        assert!(began.elapsed() > Duration::from_secs(3), "it waited for the snapshot");
        snapshot.join().unwrap();
    });
    assert_eq!(database.number("SELECT count(*) FROM added_later"), 1);

    let (_new, admin) = start_second(&deployment);
    let new = Callers::of(&admin);
    (0..5).for_each(|_| [&old, &new].iter().for_each(|callers| callers.go_on()));
    let archive = deployment.path("backup.zip");
    let archive = archive.to_str().unwrap();
    let _ = deployment.admin.run(&["backup", "export", "--plain", "--out", archive]).succeeded();
    let _ = deployment.admin.run(&["backup", "verify", archive]).succeeded();

    // The orchestrator stops sending calls to a process before it stops the process.
    old.stop();
    assert!(deployment.vault.terminate().success(), "{}", deployment.vault.log());
    new.go_on();
    deployment.restart_vault();
    let back = Callers::of(&deployment.admin);
    [&back, &new].iter().for_each(|callers| callers.go_on());
    back.stop();
    new.stop();
    let verified = admin.json(&["audit", "verify"]);
    assert_eq!(verified["ok"], true, "one chain: {verified}");
}

#[test]
fn a_database_of_an_unreleased_version_is_refused_in_a_sentence() {
    for database in TestDb::each() {
        let mut deployment = Deployment::start(database.url_text(), "");
        deployment.vault.terminate();
        let other = if database.file().is_some() { "x'00'" } else { "'\\x00'" };
        database.run(&format!("UPDATE _sqlx_migrations SET checksum = {other} WHERE version = 1"));
        let mut command = program("strongroom-vault");
        command.args(["--config", "vault.toml"]).current_dir(deployment.path(""));
        let said = e2e::finish(&mut command, b"", Duration::from_secs(30)).failed_with(1);
        assert!(said.contains("never released") && said.contains("use an empty database"), "{said}");
    }
}
