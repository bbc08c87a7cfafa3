//! A vault, databases to restore, and processes of the backup service.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};

use e2e::{Deployment, Operator, PATIENCE, Service, eventually, free_port, program};
use serde_json::Value;
use strongroom_testkit::TestDb;
use tempfile::TempDir;

use super::databases::Target;

/// A vault, the databases, and the files shared by the processes of the backup service.
pub(crate) struct Site {
    pub(crate) deployment: Deployment,
    pub(crate) vault_database: TestDb,
    folder: TempDir,
    pub(crate) targets: Vec<Target>,
    /// URL of the backup service's database.
    database: String,
    /// Additional `[[sources]]`.
    pub(crate) sources: String,
}

/// A process of the backup service.
pub(crate) struct Replica {
    pub(crate) service: Service,
    pub(crate) operator: Operator,
}

impl Site {
    /// Creates `count` databases. `of_service` is the backup service's database; empty for a file.
    pub(crate) fn create(count: usize, database: impl Fn() -> TestDb, of_service: &str) -> Self {
        Self::create_in(tempfile::tempdir().unwrap(), count, database, of_service)
    }

    /// The same with all files of the backup service in `folder`.
    pub(crate) fn create_in(
        folder: TempDir,
        count: usize,
        database: impl Fn() -> TestDb,
        of_service: &str,
    ) -> Self {
        Self::create_with(TestDb::sqlite(), folder, count, database, of_service)
    }

    /// The same with a vault on `vault_database`.
    pub(crate) fn create_with(
        vault_database: TestDb,
        folder: TempDir,
        count: usize,
        database: impl Fn() -> TestDb,
        of_service: &str,
    ) -> Self {
        let mut deployment = Deployment::start(vault_database.url_text(), "");
        deployment.backup.kill();
        let targets = (0..count).map(|at| Target::create(&format!("s{at}"), database())).collect();
        std::fs::create_dir(folder.path().join("backups")).unwrap();
        let database = match of_service {
            "" => format!("sqlite:{}", folder.path().join("backup.db").display()),
            url => url.to_owned(),
        };
        Self { deployment, vault_database, folder, targets, database, sources: String::new() }
    }

    /// Makes the backup, then changes all databases.
    pub(crate) fn backed_up_and_changed(&self) -> String {
        let mut replica = self.start(None);
        let made = replica.operator.json(&["backup", "create"]);
        replica.service.kill();
        self.targets.iter().for_each(Target::change);
        made["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn begin(&self, failpoint: Option<&str>) -> Replica {
        let port = free_port();
        let file = self.folder.path().join(format!("backup-{port}.toml"));
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

    pub(crate) fn start(&self, failpoint: Option<&str>) -> Replica {
        let mut replica = self.begin(failpoint);
        let port = replica.operator.backup_url.rsplit_once(':').unwrap().1.parse().unwrap();
        replica.service.wait_until_listening(port);
        replica
    }

    fn configuration(&self, port: u16) -> String {
        let folder = self.folder.path();
        let (token, vault) = (self.deployment.path("backup.token"), &self.deployment.admin.vault_url);
        let databases: String = self.targets.iter().map(|target| target.configuration(folder)).collect();
        format!(
            "[app]\nname = \"dying\"\n\n[backup]\nlisten = \"127.0.0.1:{port}\"\ntoken_file = \"{}\"\n\
             vault.url = \"{vault}\"\nconcurrent_restores = 1\ndatabase_url = \"{}\"\nstaging_dir = \"{}\"\n\n\
             [seal]\nwithout_recovery = \"I accept that without the root key nobody opens these archives\"\n\n\
             [[destinations]]\nname = \"nearby\"\nurl = \"file://{}\"\n\n{databases}{}",
            token.display(),
            self.database,
            folder.display(),
            folder.join("backups").display(),
            self.sources,
        )
    }
}

impl Replica {
    pub(crate) fn plan(&self, backup: &str, target: &Target) -> String {
        self.plan_of(backup, &target.source)
    }

    /// Plans the restore of `sources`, a comma-separated list.
    pub(crate) fn plan_of(&self, backup: &str, sources: &str) -> String {
        let plan = ["restore", "plan", backup, "--mode", "replace", "--sources", sources];
        let restore = self.operator.json(&plan);
        assert_eq!(restore["state"], "RESTORE_STATE_PLANNED", "{restore}");
        restore["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn get(&self, id: &str) -> Value {
        self.operator.json(&["restore", "get", id])
    }

    /// Restores and dies, or restores and then dies during the rollback.
    pub(crate) fn dies(&mut self, backup: &str, target: &Target, rolls_back: bool) -> String {
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

    /// Kills the command, which would otherwise wait for the service to come back.
    pub(crate) fn dies_during(&mut self, arguments: &[&str]) {
        let mut command = self.operator.command(arguments);
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.wait_until_dead();
        running.kill().unwrap();
        let _ = running.wait();
    }

    pub(crate) fn wait_until_dead(&mut self) {
        let ended = self.service.wait_until_ended();
        assert_eq!(ended.signal(), Some(9), "it has ended in another way: {ended}\n{}", self.service.log());
    }

    pub(crate) fn restores(&self, backup: &str, target: &Target) -> Value {
        let id = self.plan(backup, target);
        self.operator.json(&["restore", "apply", &id, "--confirm", &target.source])
    }

    /// Begins to restore `target` without waiting for it. Returns the restore's id and the command.
    pub(crate) fn begins(&self, backup: &str, target: &Target) -> (String, Child) {
        let id = self.plan(backup, target);
        let running = self.spawn(&["restore", "apply", &id, "--confirm", &target.source]);
        (id, running)
    }

    /// Starts a command without waiting for it.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.operator.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Waits until the process is suspended.
    pub(crate) fn wait_until_paused(&self) {
        let file = format!("/proc/{}/stat", self.service.pid());
        eventually("the process is suspended", PATIENCE, || {
            let stat = std::fs::read_to_string(&file).unwrap();
            stat.rsplit_once(") ").unwrap().1.starts_with('T').then_some(())
        });
    }
}

/// Whether a restore makes no more changes.
pub(crate) fn is_settled(restore: &Value) -> bool {
    let state = restore["state"].as_str().unwrap();
    !["RESTORE_STATE_APPLYING", "RESTORE_STATE_ROLLING_BACK", "RESTORE_STATE_RESUMABLE"].contains(&state)
}
