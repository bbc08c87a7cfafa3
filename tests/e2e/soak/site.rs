//! The two services with their databases, and the kills.

use std::path::PathBuf;

use e2e::Deployment;
use strongroom_testkit::TestDb;

use super::bank::Bank;

pub(crate) struct Site {
    pub(crate) deployment: Deployment,
    pub(crate) bank: std::sync::Arc<Bank>,
    pub(crate) vault_database: TestDb,
    /// Where stored backups are.
    pub(crate) stored: PathBuf,
    _folders: tempfile::TempDir,
}

impl Site {
    /// `None` without PostgreSQL.
    pub(crate) fn set() -> Option<Self> {
        let (bank, vault_database) = (Bank::open()?, TestDb::postgres()?);
        let folders = tempfile::tempdir().unwrap();
        let stored = folders.path().join("stored");
        std::fs::create_dir(&stored).unwrap();
        let config = format!(
            "[seal]\nwithout_recovery = \"I accept that without the root key nobody opens these archives\"\n\n{}\
             [[destinations]]\nname = \"local\"\nurl = \"file://{}\"\n",
            bank.configuration(folders.path()),
            stored.display()
        );
        let deployment = Deployment::start(vault_database.url_text(), &config);
        let bank = std::sync::Arc::new(bank);
        Some(Self { deployment, bank, vault_database, stored, _folders: folders })
    }

    /// Kills a process and starts it again, or ends the connections of a database.
    pub(crate) fn kill_one(&mut self, which: usize) {
        match which {
            0 | 1 => self.deployment.restart_vault(),
            2 | 3 => self.deployment.restart_backup(),
            _ => self.bank.sever(),
        }
    }

    /// Both processes anew, so that what is measured afterwards began with a fresh process.
    pub(crate) fn restart(&mut self) {
        self.deployment.restart_vault();
        self.deployment.restart_backup();
    }
}
