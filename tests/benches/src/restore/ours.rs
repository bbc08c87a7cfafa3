//! Restores with the operator's command: vault, backup service and client are separate processes.

use std::path::Path;
use std::time::Instant;

use e2e::Deployment;
use serde_json::Value;
use strongroom_testkit::TestDb;

use super::tables::OWNER;
use crate::export::memory;
use crate::export::recovery::Recovery;

/// A deployment with one stored backup.
pub(super) struct Ours {
    deployment: Deployment,
    backup: String,
    idle: u64,
    _vault_database: TestDb,
}

/// Cost of one restore.
pub(super) struct Applied {
    pub(super) seconds: f64,
    /// Seconds for which writers were paused.
    pub(super) paused: f64,
    /// Peak memory in bytes, above idle.
    pub(super) memory: u64,
}

impl Ours {
    pub(super) fn start(database: &TestDb, recovery: &Recovery, folder: &Path) -> Self {
        let vault_database = TestDb::sqlite();
        let (disk, file) = (folder.join("disk"), folder.join("owner.url"));
        std::fs::create_dir(&disk).unwrap();
        let url = database.url_text();
        strongroom_testkit::write_private(&file, url.replacen("postgres@", &format!("{OWNER}@"), 1));
        let sources = format!(
            "[seal]\nrecovery_recipients = [\"{}\"]\n\n\
             [[sources]]\nname = \"gateway\"\nkind = \"postgres\"\nurl = \"{url}\"\nrestore_url_file = \"{}\"\n\n\
             [[destinations]]\nname = \"disk\"\nurl = \"file://{}\"\n",
            recovery.recipient,
            file.display(),
            disk.display(),
        );
        let deployment = Deployment::start(vault_database.url_text(), &sources);
        let made = deployment.admin.json(&["backup", "create"]);
        let backup = made["id"].as_str().unwrap().to_owned();
        let idle = memory::resident(deployment.backup.pid());
        Self { deployment, backup, idle, _vault_database: vault_database }
    }

    /// Makes a plan, then measures its application.
    pub(super) fn restore(&self, mode: &str) -> Applied {
        let admin = &self.deployment.admin;
        let plan = admin.json(&["restore", "plan", &self.backup, "--mode", mode, "--sources", "gateway"]);
        let id = plan["id"].as_str().unwrap().to_owned();
        let pid = self.deployment.backup.pid();
        memory::forget_peak(pid);
        let began = Instant::now();
        let applied = admin.json(&["restore", "apply", &id, "--confirm", "gateway"]);
        let seconds = began.elapsed().as_secs_f64();
        assert_eq!(applied["state"], "RESTORE_STATE_APPLIED", "{applied}");
        let memory = memory::peak(pid).saturating_sub(self.idle);
        Applied { seconds, paused: duration(&applied["paused"]), memory }
    }
}

/// Seconds of a JSON protobuf duration such as `1.5s`.
fn duration(value: &Value) -> f64 {
    value.as_str().and_then(|text| text.strip_suffix('s')?.parse().ok()).unwrap_or(0.0)
}
