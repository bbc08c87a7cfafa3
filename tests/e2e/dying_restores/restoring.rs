//! Several processes die one after the other, each in the restore of another database; their successor settles all of them.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use e2e::{Deployment, Operator, Service, eventually, free_port, program};
use serde_json::Value;
use strongroom_testkit::TestDb;
use tempfile::TempDir;

use super::databases::Target;
use super::places::{Fate, Place, RESTORING, SETTLING};

/// Two heartbeats after which a process counts as dead, and as much again and more for a machine under load.
const DECLARED: Duration = Duration::from_secs(10 + 30);

/// A vault, the databases, and what processes of the backup service share.
struct Site {
    deployment: Deployment,
    _vault_database: TestDb,
    folder: TempDir,
    targets: Vec<Target>,
}

/// One process.
struct Replica {
    service: Service,
    operator: Operator,
}

impl Site {
    /// With a database for each place, and one more.
    fn create(database: impl Fn() -> TestDb) -> Self {
        let vault_database = TestDb::sqlite();
        let mut deployment = Deployment::start(vault_database.url_text(), "");
        deployment.backup.kill();
        let targets = (0..=RESTORING.len()).map(|at| Target::create(&format!("s{at}"), database()));
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("backups")).unwrap();
        Self { deployment, _vault_database: vault_database, folder, targets: targets.collect() }
    }

    fn begin(&self, failpoint: Option<&str>) -> Replica {
        let port = free_port();
        let file = self.folder.path().join("backup.toml");
        std::fs::write(&file, self.configuration(port)).unwrap();
        let mut command = program("strongroom-backup");
        command.arg("--config").arg(&file);
        if let Some(place) = failpoint {
            command.env("STRONGROOM_FAILPOINT", place);
        }
        let operator =
            Operator { backup_url: format!("http://127.0.0.1:{port}"), ..self.deployment.admin.clone() };
        Replica { service: Service::start(&mut command), operator }
    }

    fn start(&self, failpoint: Option<&str>) -> Replica {
        let mut replica = self.begin(failpoint);
        let port = replica.operator.backup_url.rsplit_once(':').unwrap().1.parse().unwrap();
        replica.service.wait_until_listening(port);
        replica
    }

    fn configuration(&self, port: u16) -> String {
        let folder = self.folder.path();
        let (token, vault) = (self.deployment.path("backup.token"), &self.deployment.admin.vault_url);
        let sources: String = self.targets.iter().map(|target| target.configuration(folder)).collect();
        format!(
            "[app]\nname = \"dying\"\n\n[backup]\nlisten = \"127.0.0.1:{port}\"\ntoken_file = \"{}\"\n\
             vault.url = \"{vault}\"\ndatabase_url = \"sqlite:{}\"\nstaging_dir = \"{}\"\n\n\
             [seal]\nwithout_recovery = \"I accept that without the root key nobody opens these archives\"\n\n\
             [[destinations]]\nname = \"nearby\"\nurl = \"file://{}\"\n\n{sources}",
            token.display(),
            folder.join("backup.db").display(),
            folder.display(),
            folder.join("backups").display(),
        )
    }
}

impl Replica {
    fn plan(&self, backup: &str, target: &Target) -> String {
        let plan = ["restore", "plan", backup, "--mode", "replace", "--sources", &target.source];
        let restore = self.operator.json(&plan);
        assert_eq!(restore["state"], "RESTORE_STATE_PLANNED", "{restore}");
        restore["id"].as_str().unwrap().to_owned()
    }

    fn get(&self, id: &str) -> Value {
        self.operator.json(&["restore", "get", id])
    }

    /// Restores and dies, or restores and then dies while it takes that back.
    fn dies(&mut self, backup: &str, target: &Target, rolls_back: bool) -> String {
        let id = self.plan(backup, target);
        let apply = ["restore", "apply", &id, "--confirm", &target.source];
        if rolls_back {
            let _ = self.operator.run(&apply).succeeded();
            self.dies_during(&["restore", "rollback", &id, "--yes"]);
        } else {
            self.dies_during(&apply);
        }
        id
    }

    /// The command itself would wait for the service to come back.
    fn dies_during(&mut self, arguments: &[&str]) {
        let mut command = self.operator.command(arguments);
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.wait_until_dead();
        running.kill().unwrap();
        let _ = running.wait();
    }

    fn wait_until_dead(&mut self) {
        let ended = self.service.wait_until_ended();
        assert_eq!(ended.signal(), Some(9), "it has ended in another way: {ended}\n{}", self.service.log());
    }

    fn restores(&self, backup: &str, target: &Target) -> Value {
        let id = self.plan(backup, target);
        self.operator.json(&["restore", "apply", &id, "--confirm", &target.source])
    }
}

fn state(fate: Fate) -> &'static str {
    match fate {
        Fate::Failed => "RESTORE_STATE_FAILED",
        Fate::Applied => "RESTORE_STATE_APPLIED",
        Fate::RolledBack => "RESTORE_STATE_ROLLED_BACK",
    }
}

fn is_settled(restore: &Value) -> bool {
    let state = restore["state"].as_str().unwrap();
    !["RESTORE_STATE_APPLYING", "RESTORE_STATE_ROLLING_BACK"].contains(&state)
}

fn check(place: &Place, target: &Target, restore: &Value) {
    let name = place.name;
    assert_eq!(restore["state"], state(place.fate), "{name}: {restore}");
    assert_eq!(target.is_restored(), place.fate == Fate::Applied, "{name}: {restore}");
    assert_eq!(target.has_ours(), place.fate == Fate::Applied, "{name}");
    if place.fate == Fate::Failed {
        assert_eq!(restore["reason"], "PROCESS_DIED", "{name}: {restore}");
        assert!(restore["problem"].as_str().unwrap().contains("plan it again"), "{name}: {restore}");
    }
}

fn settles(database: impl Fn() -> TestDb) {
    let site = Site::create(database);
    let backup = {
        let mut replica = site.start(None);
        let made = replica.operator.json(&["backup", "create"]);
        replica.service.kill();
        made["id"].as_str().unwrap().to_owned()
    };
    site.targets.iter().for_each(Target::change);
    let mut restores = Vec::new();
    for (place, target) in RESTORING.iter().zip(&site.targets) {
        restores.push(site.start(Some(place.name)).dies(&backup, target, place.rolls_back));
    }
    // The first heir dies too, as soon as it has settled one of them.
    site.start(Some(SETTLING)).wait_until_dead();
    let replica = site.start(None);
    eventually("every restore is settled", DECLARED, || {
        restores.iter().all(|id| is_settled(&replica.get(id))).then_some(())
    });
    for ((place, target), id) in RESTORING.iter().zip(&site.targets).zip(&restores) {
        check(place, target, &replica.get(id));
        let again = replica.restores(&backup, target);
        assert_eq!(again["state"], "RESTORE_STATE_APPLIED", "after {}: {again}", place.name);
        assert!(target.is_restored(), "after {}", place.name);
    }
    nothing_is_open(&site.deployment.admin, restores.len());
}

/// Each beginning in the audit log has its end.
fn nothing_is_open(admin: &Operator, at_least: usize) {
    for (started, ended) in
        [("restore.started", "restore.completed"), ("restore.rollback_started", "restore.rolled_back")]
    {
        let ids = |name: &str| {
            let events = admin.events(name);
            let mut ids: Vec<String> = events
                .iter()
                .map(|event| event["metadata"]["operation_id"].as_str().unwrap_or_default().to_owned())
                .collect();
            ids.sort();
            ids
        };
        let (began, over) = (ids(started), ids(ended));
        assert_eq!(began.len(), over.len(), "{started}: {began:?} {over:?}");
        assert!(started != "restore.started" || began.len() >= at_least, "{began:?}");
    }
}

#[test]
fn sqlite_is_old_or_new_wherever_a_process_dies() {
    settles(TestDb::sqlite);
}

#[test]
fn postgres_is_old_or_new_wherever_a_process_dies() {
    let Some(first) = TestDb::postgres() else { return };
    drop(first);
    settles(|| TestDb::postgres().unwrap());
}
