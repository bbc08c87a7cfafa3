//! A dependency of a service goes away and comes back: `/readyz`, gRPC health and `strongroom status` follow and name
//! the dependency; nothing needs a restart.

use std::time::{Duration, Instant};

use e2e::http::{Answer, get, get_as};
use e2e::{Deployment, Operator, Postgres, Service, eventually, free_port, program, vault_config};
use serde_json::Value;
use strongroom_runtime::client::Target;
use strongroom_testkit::TestDb;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// The limit that docs/operating.md promises, and one second for the measurement; it applies to all probes together.
const FELT: Duration = Duration::from_secs(5 + 1);

fn readiness(address: &str) -> Option<Answer> {
    get(address, "/readyz")
}

/// Waits for an event that must occur before `deadline`.
fn by<T>(what: &str, deadline: Instant, come: impl FnMut() -> Option<T>) -> T {
    eventually(what, deadline.saturating_duration_since(Instant::now()), come)
}

/// 1 for SERVING, 2 for NOT_SERVING, 0 for no answer.
fn grpc_health(url: &str, service: &str) -> i32 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let target = Target { url: url.to_owned(), plaintext: true, ..Target::default() };
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = HealthClient::new(target.channel().unwrap()).check(request).await;
        answer.map_or(0, |answer| answer.into_inner().status)
    })
}

/// A service of a deployment, as seen by probes and operators.
struct Watched<'a> {
    admin: &'a Operator,
    /// `vault` or `backup`.
    name: &'static str,
    admin_address: String,
    url: &'a str,
    service: &'static str,
}

impl<'a> Watched<'a> {
    fn both(deployment: &'a Deployment) -> [Self; 2] {
        let admin = &deployment.admin;
        let [vault, backup] = deployment.admin_addresses();
        [
            Self {
                admin,
                name: "vault",
                admin_address: vault,
                url: &admin.vault_url,
                service: "strongroom.vault.v1.CredentialService",
            },
            Self {
                admin,
                name: "backup",
                admin_address: backup,
                url: &admin.backup_url,
                service: "strongroom.backup.v1.BackupService",
            },
        ]
    }

    fn expect_ready(&self) {
        self.expect_ready_until(Instant::now() + FELT);
    }

    fn expect_ready_until(&self, deadline: Instant) {
        let what = format!("{} is ready", self.name);
        by(&what, deadline, || (readiness(&self.admin_address)?.status == 200).then_some(()));
        for service in ["", self.service] {
            by(&what, deadline, || (grpc_health(self.url, service) == 1).then_some(()));
        }
        by(&what, deadline, || (self.status(None)["state"] == "READY").then_some(()));
    }

    fn expect_unready(&self, dependency: &str) {
        self.expect_unready_until(Instant::now() + FELT, dependency);
    }

    /// Waits until the service is reported unready before `deadline`, with the dependency's name.
    fn expect_unready_until(&self, deadline: Instant, dependency: &str) {
        let what = format!("{}: {dependency} is failing", self.name);
        let line = format!("{dependency}: failing: ");
        by(&what, deadline, || {
            let answer = readiness(&self.admin_address)?;
            (answer.status == 503 && answer.body.contains(&line)).then_some(())
        });
        for service in ["", self.service] {
            by(&what, deadline, || (grpc_health(self.url, service) == 2).then_some(()));
        }
        by(&what, deadline, || {
            let status = self.status(Some(1));
            let named = status.to_string().contains(dependency);
            (status["state"] == "NOT_READY" && named).then_some(())
        });
    }

    fn status(&self, code: Option<i32>) -> Value {
        let run = self.admin.run(&["status", "-o", "json"]);
        if let Some(code) = code
            && run.code != Some(code)
        {
            return Value::Null;
        }
        run.json()[self.name].clone()
    }
}

#[test]
fn a_database_that_stops_is_named_and_comes_back() {
    let Some(database) = Postgres::start() else { return };
    let deployment = Deployment::start(&database.url(), "");
    let [vault, backup] = Watched::both(&deployment);
    vault.expect_ready();
    backup.expect_ready();
    database.stop();
    let deadline = Instant::now() + FELT;
    vault.expect_unready_until(deadline, "database");
    backup.expect_unready_until(deadline, "vault");
    database.restart();
    let deadline = Instant::now() + FELT;
    vault.expect_ready_until(deadline);
    backup.expect_ready_until(deadline);
    // The log reports the vault's state but none of its consequences.
    said_once(&deployment.backup, "a dependency is failing");
    said_never(&deployment.backup, "a source cannot be read");
}

/// An outage is logged in one line.
fn said_once(service: &Service, what: &str) {
    let log = service.log();
    assert_eq!(log.matches(what).count(), 1, "{what}: {log}");
}

fn said_never(service: &Service, what: &str) {
    let log = service.log();
    assert!(!log.contains(what), "{what}: {log}");
}

#[test]
fn a_vault_that_is_killed_is_named_and_comes_back() {
    come_and_go("127.0.0.1");
}

/// Everything works again after the vault was killed and restarted, without any other restart.
fn come_and_go(host: &str) {
    let database = TestDb::sqlite();
    let mut deployment = Deployment::start_on(host, database.url_text(), "");
    for service in Watched::both(&deployment) {
        service.expect_ready();
        if host != "127.0.0.1" {
            let page = get_as(&service.admin_address, "localhost", "/").unwrap();
            assert_eq!(page.status, 403, "the page is for the machine itself: {page:?}");
        }
    }
    deployment.vault.kill();
    {
        let deadline = Instant::now() + FELT;
        let [_, backup] = Watched::both(&deployment);
        let line = "vault: failing: ";
        by("the vault is named", deadline, || {
            let answer = readiness(&backup.admin_address)?;
            (answer.status == 503 && answer.body.contains(line)).then_some(())
        });
        by("the health follows", deadline, || (grpc_health(backup.url, "") == 2).then_some(()));
        let run = deployment.admin.run(&["status", "-o", "json"]);
        assert!(run.failed_with(4).contains("cannot reach the vault"), "{}", run.stderr);
        let shown = run.json();
        assert_eq!(
            (&shown["vault"]["state"], &shown["backup"]["state"]),
            (&"UNREACHABLE".into(), &"NOT_READY".into())
        );
        assert!(shown["backup"]["problem"].as_str().unwrap().contains("vault"), "{shown}");
    }
    // Calls do not lengthen the log.
    for _ in 0..5 {
        let _ = deployment.admin.run(&["source", "list"]);
    }
    deployment.restart_vault();
    let deadline = Instant::now() + FELT;
    for service in Watched::both(&deployment) {
        service.expect_ready_until(deadline);
    }
    said_once(&deployment.backup, "does not answer; is it running?");
    let _ = deployment.admin.run(&["source", "list"]).succeeded();
    let out = deployment.path("backup.zip");
    let _ =
        deployment.admin.run(&["backup", "export", "--plain", "--out", out.to_str().unwrap()]).succeeded();
    assert_eq!(deployment.admin.events("backup.exported").len(), 1);
}

#[test]
fn a_backup_service_that_is_away_leaves_the_vault_on_show() {
    let database = TestDb::sqlite();
    let mut deployment = Deployment::start(database.url_text(), "");
    for service in Watched::both(&deployment) {
        service.expect_ready();
    }
    let shown = deployment.admin.run(&["status"]).succeeded().text();
    for part in ["vault", "backup", "database", "root key", "token", "staging", "ready"] {
        assert!(shown.contains(part), "{shown}");
    }
    deployment.backup.kill();
    let run = deployment.admin.run(&["status", "-o", "json"]);
    assert!(run.failed_with(4).contains("cannot reach the backup service"), "{}", run.stderr);
    assert_eq!(run.json()["vault"]["state"], "READY");
    assert_eq!(run.json()["vault"]["status"]["dependencies"][0]["name"], "database");
}

#[test]
fn a_revoked_token_of_the_service_is_named() {
    let database = TestDb::sqlite();
    let deployment = Deployment::start(database.url_text(), "");
    let [_, backup] = Watched::both(&deployment);
    backup.expect_ready();
    let tokens = deployment.admin.json(&["token", "list"]);
    let own = tokens.as_array().unwrap().iter().find(|token| token["role"] == "backup-service").unwrap();
    let _ = deployment.admin.run(&["token", "revoke", "--yes", own["id"].as_str().unwrap()]).succeeded();
    backup.expect_unready("token");
    let answer = readiness(&backup.admin_address).unwrap();
    assert!(answer.body.contains("vault: ok") && answer.body.contains("role backup-service"), "{answer:?}");
}

#[test]
fn a_staging_folder_that_goes_away_is_named_and_comes_back() {
    let database = TestDb::sqlite();
    let deployment = Deployment::start(database.url_text(), "");
    let [_, backup] = Watched::both(&deployment);
    backup.expect_ready();
    std::fs::remove_dir(deployment.temporary_folder()).unwrap();
    backup.expect_unready("staging");
    std::fs::create_dir(deployment.temporary_folder()).unwrap();
    backup.expect_ready();
    // Logged once per change, not once per check.
    let log = deployment.backup.log();
    let told =
        log.lines().filter(|line| line.contains("a dependency is failing") && line.contains("staging"));
    assert_eq!(told.count(), 1, "{log}");
}

#[test]
fn a_root_key_that_was_changed_elsewhere_is_named() {
    let database = TestDb::sqlite();
    let deployment = Deployment::start(database.url_text(), "");
    let [vault, backup] = Watched::both(&deployment);
    vault.expect_ready();
    let (old, new) = (deployment.path("root.key"), deployment.path("new.key"));
    let _ = deployment.admin.run(&["key", "new-root", "--out", new.to_str().unwrap()]).succeeded();
    let (folder, port) = (deployment.path(""), free_port());
    let config = vault_config(&folder, port, database.url_text()).replace("root.key", "new.key")
        + &format!("previous_root_key_files = [\"{}\"]\n", old.display());
    std::fs::write(deployment.path("replica.toml"), config).unwrap();
    let mut replica = program("strongroom-vault");
    let _replica = Service::start(replica.arg("--config").arg("replica.toml").current_dir(&folder));
    let url = format!("http://127.0.0.1:{port}");
    eventually("the replica is ready", Duration::from_secs(30), || {
        (grpc_health(&url, "") == 1).then_some(())
    });
    vault.expect_unready("root key");
    backup.expect_unready("vault");
}

#[test]
fn probes_are_answered_before_the_database_is_open() {
    let (folder, port, admin_port) = (tempfile::tempdir().unwrap(), free_port(), free_port());
    // A server that accepts connections and sends nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let database = format!("postgres://vault@{}/vault", silent.local_addr().unwrap());
    let nobody = Operator { vault_url: String::new(), backup_url: String::new(), token: String::new() };
    let root_key = folder.path().join("root.key");
    let _ = nobody.run(&["key", "new-root", "--out", root_key.to_str().unwrap()]).succeeded();
    std::fs::write(folder.path().join("vault.toml"), vault_config(folder.path(), port, &database)).unwrap();
    let mut vault = program("strongroom-vault");
    vault.arg("--config").arg("vault.toml").current_dir(folder.path());
    let admin = format!("127.0.0.1:{admin_port}");
    let _vault = Service::start(vault.env("STRONGROOM_ADMIN__LISTEN", &admin));
    let alive = eventually("/livez", FELT, || get(&admin, "/livez"));
    assert_eq!(alive.status, 200);
    let ready = readiness(&admin).unwrap();
    assert_eq!((ready.status, ready.body.as_str()), (503, "database: starting\nroot key: starting\n"));
}

#[test]
fn a_service_that_stops_is_not_ready() {
    let database = TestDb::sqlite();
    let mut deployment = Deployment::start(database.url_text(), "");
    let [vault, _] = deployment.admin_addresses();
    eventually("it is ready", FELT, || (readiness(&vault)?.status == 200).then_some(()));
    assert!(get(&vault, "/livez").is_some_and(|answer| answer.status == 200));
    let status = deployment.vault.terminate();
    assert_eq!(status.code(), Some(0), "{}", deployment.vault.log());
    assert_eq!(readiness(&vault), None);
}

/// The same as on loopback, at another address.
#[test]
fn a_vault_comes_back_on_an_address_that_is_not_loopback() {
    const ADDRESS: &str = "192.0.2.1";
    if e2e::network::is_own("health::a_vault_comes_back_on_an_address_that_is_not_loopback", ADDRESS) {
        come_and_go(ADDRESS);
    }
}
