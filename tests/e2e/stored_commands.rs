//! `strongroom backup …` for stored backups, against the two real services: each command's output, its exit code, and
//! the messages for operators when something is wrong.

mod creator;
mod downloads;
mod drills;
mod lifecycle;
mod places;
mod proxy;
mod scans;
mod schedules;
mod wrong_use;

use std::path::{Path, PathBuf};

use e2e::{Deployment, Operator, source};
use serde_json::Value;
use strongroom_testkit::TestDb;
use tempfile::TempDir;

const SEAL: &str =
    "[seal]\nwithout_recovery = \"I accept that without the root key nobody opens these archives\"\n\n";

/// A vault with a credential, a source, and a backup service that stores backups in folders with these names.
struct Storing {
    deployment: Deployment,
    gateway: TestDb,
    vault: TestDb,
    folders: TempDir,
}

impl Storing {
    fn in_folders(names: &[&str]) -> Self {
        let (gateway, vault, folders) = (TestDb::sqlite(), TestDb::sqlite(), tempfile::tempdir().unwrap());
        gateway.run(
            "CREATE TABLE servers (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO servers VALUES (1, 'one')",
        );
        Self::of(&source("gateway", &gateway, &[]), (gateway, vault, folders), names)
    }

    /// The same with these `sources` and a folder for scratch databases.
    fn of(sources: &str, (gateway, vault, folders): (TestDb, TestDb, TempDir), names: &[&str]) -> Self {
        let scratch = folders.path().join("scratch");
        std::fs::create_dir(&scratch).unwrap();
        let drill = format!("{sources}\n[drill]\nscratch_dir = \"{}\"\n", text(&scratch));
        Self::with_drill(&drill, (gateway, vault, folders), names)
    }

    /// The same with these `sources`, which include the drill configuration.
    fn with_drill(
        sources: &str,
        (gateway, vault, folders): (TestDb, TestDb, TempDir),
        names: &[&str],
    ) -> Self {
        let mut config = format!("{SEAL}{sources}\n");
        for name in names {
            let folder = folders.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            config.push_str(&format!(
                "[[destinations]]\nname = \"{name}\"\nurl = \"file://{}\"\n",
                text(&folder)
            ));
        }
        let deployment = Deployment::start(vault.url_text(), &config);
        let _ = deployment.admin.create_credential("One", "openai", b"sk-one-0123456789abcdef");
        Self { deployment, gateway, vault, folders }
    }

    fn admin(&self) -> &Operator {
        &self.deployment.admin
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.folders.path().join(name)
    }

    /// Creates a backup and returns its id.
    fn create(&self) -> String {
        id_of(&self.admin().json(&["backup", "create"]))
    }

    fn get(&self, id: &str) -> Value {
        self.admin().json(&["backup", "get", id])
    }

    /// The file of `id` in the folder `name`, and its sidecar.
    fn files(&self, name: &str, id: &str) -> [PathBuf; 2] {
        let backup = self.get(id);
        let copies = backup["copies"].as_array().unwrap();
        let copy = copies.iter().find(|copy| copy["destination"] == name).unwrap();
        let key = copy["key"].as_str().unwrap();
        [key.to_owned(), format!("{key}.json")].map(|file| self.folder(name).join(file))
    }

    /// Restarts the service with an empty database.
    fn lose_the_catalogue(&mut self) {
        self.deployment.backup.kill();
        for file in ["backup.db", "backup.db-wal", "backup.db-shm"] {
            let _ = std::fs::remove_file(self.deployment.path(file));
        }
        self.deployment.restart_backup();
        assert_eq!(self.admin().json(&["backup", "list", "--deleted"]), serde_json::json!([]));
    }
}

fn id_of(backup: &Value) -> String {
    backup["id"].as_str().unwrap_or_else(|| panic!("a backup has an id: {backup}")).to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
