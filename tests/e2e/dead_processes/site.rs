//! A vault, and folders with data for backups.

use std::fs::File;
use std::io::{Read as _, copy};
use std::path::{Path, PathBuf};

use e2e::{Deployment, Operator};
use strongroom_testkit::TestDb;
use tempfile::TempDir;

/// Several parts of an upload: a part has 8 MiB.
const BIG: u64 = 20 << 20;

/// The environment shared by the processes of a test.
pub(super) struct Site {
    deployment: Deployment,
    _vault_database: TestDb,
    folder: TempDir,
}

impl Site {
    pub(super) fn create() -> Self {
        let vault_database = TestDb::sqlite();
        let mut deployment = Deployment::start(vault_database.url_text(), "");
        // Only its vault is needed.
        deployment.backup.kill();
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [("notes", 1000), ("big", BIG)] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            let mut file = File::create(folder.path().join(name).join("file")).unwrap();
            copy(&mut File::open("/dev/urandom").unwrap().take(bytes), &mut file).unwrap();
        }
        let site = Self { deployment, _vault_database: vault_database, folder };
        // A backup without secrets needs no key version.
        let _ = site.admin().create_credential("a key", "openai", b"sk-0123456789");
        site
    }

    pub(super) fn admin(&self) -> &Operator {
        &self.deployment.admin
    }

    pub(super) fn token_file(&self) -> PathBuf {
        self.deployment.path("backup.token")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new empty folder with this name.
    pub(super) fn new_folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir(&path).unwrap();
        path
    }

    /// A destination in `folder`.
    pub(super) fn destination(folder: &Path) -> String {
        format!("[[destinations]]\nname = \"nearby\"\nurl = \"file://{}\"\n", folder.display())
    }

    /// The sources of all processes.
    pub(super) fn sources(&self) -> String {
        let notes = self.path("notes");
        let big = self.path("big");
        format!(
            "[[sources]]\nname = \"notes\"\nkind = \"files\"\npath = \"{}\"\n\n\
             [[sources]]\nname = \"big\"\nkind = \"files\"\npath = \"{}\"\n\n\
             [[sources.optional]]\nname = \"big\"\n\n",
            notes.display(),
            big.display()
        )
    }

    /// Expiry times of an archive's pins, one for each key version; `null` for pins that are held until their release.
    pub(super) fn pins(&self, id: &str) -> Vec<serde_json::Value> {
        let census = self.admin().json(&["key", "census"]);
        let pins = census["pins"].as_array().unwrap().iter();
        pins.filter(|pin| pin["archiveId"] == id).map(|pin| pin["expireTime"].clone()).collect()
    }

    /// Number of audit events `event` for files of `app`.
    pub(super) fn count(&self, event: &str, app: &str) -> usize {
        let of_app = format!("{app}-backup-");
        let events = self.admin().events(event);
        events.iter().filter(|event| event["target"].as_str().unwrap().starts_with(&of_app)).count()
    }
}
