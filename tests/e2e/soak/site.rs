//! The two services with their databases, and what is killed.

use std::path::PathBuf;
use std::time::Duration;

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

/// Chance that the number repeats (SplitMix64); threads use different numbers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end.max(1) as u64) as usize
    }

    pub(crate) fn part_of(&mut self, most: Duration) -> Duration {
        most.mul_f64((1 + self.below(1000)) as f64 / 1000.0)
    }
}
