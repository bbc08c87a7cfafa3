//! The load of the soak test: commands that run while processes are killed. A command may fail while a process is dead;
//! an answer that arrives has to be right.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Scope;
use std::time::Duration;

use e2e::{Finished, Operator};
use serde_json::Value;
use strongroom_fuzz::Random;

use super::bank::Bank;
use super::site::Site;
use super::{StopOnPanic, part_of};

const CREDENTIALS: usize = 20;
/// Stored backups that are not deleted.
const KEPT: usize = 4;

pub(crate) struct Load<'a> {
    admin: Operator,
    bank: Arc<Bank>,
    folder: PathBuf,
    stop: &'a AtomicBool,
    reveals: AtomicU64,
    rotations: AtomicU64,
    exports: AtomicU64,
    backups: AtomicU64,
    restores: AtomicU64,
    transfers: AtomicU64,
}

impl<'a> Load<'a> {
    /// Prepares credentials and a schedule.
    pub(crate) fn of(site: &Site, stop: &'a AtomicBool) -> Self {
        let admin = site.deployment.admin.clone();
        for number in 0..CREDENTIALS {
            let _ = admin.create_credential(&name(number), "openai", secret(number, 0).as_bytes());
        }
        let schedule = ["schedule", "create", "minutely", "--cron", "* * * * *", "--keep", "daily=1,min=3"];
        let _ = admin.run(&schedule).succeeded();
        let folder = site.deployment.path("soak");
        std::fs::create_dir(&folder).unwrap();
        let zero = || AtomicU64::new(0);
        Self {
            admin,
            bank: Arc::clone(&site.bank),
            folder,
            stop,
            reveals: zero(),
            rotations: zero(),
            exports: zero(),
            backups: zero(),
            restores: zero(),
            transfers: zero(),
        }
    }

    pub(crate) fn start<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        for (seed, work) in
            [Self::reveal, Self::reveal, Self::rotate, Self::export, Self::store, Self::restore]
                .into_iter()
                .enumerate()
        {
            scope.spawn(move || self.repeat(seed as u64 + 1, work));
        }
        scope.spawn(|| self.repeat(100, Self::transfer));
        scope.spawn(|| self.repeat(101, |load, _| load.bank.check_total()));
    }

    fn repeat(&self, seed: u64, work: impl Fn(&Self, &mut Random)) {
        let mut random = Random::new(seed);
        let _stop = StopOnPanic(self.stop);
        while !self.stop.load(Ordering::SeqCst) {
            work(self, &mut random);
            std::thread::sleep(part_of(Duration::from_millis(200), &mut random));
        }
    }

    fn reveal(&self, random: &mut Random) {
        let number = random.below(CREDENTIALS);
        let revealed = self.admin.run(&["credential", "reveal", &name(number)]);
        if revealed.code == Some(0) {
            let secret = String::from_utf8(revealed.stdout).unwrap();
            assert!(secret.starts_with(&format!("secret {number} generation ")), "another secret: {secret}");
            count(&self.reveals);
        }
    }

    fn rotate(&self, random: &mut Random) {
        let (number, generation) = (random.below(CREDENTIALS), random.below(1_000_000));
        let rotate = ["credential", "rotate", &name(number), "--secret-file", "-"];
        let rotated = self.admin.feed(&rotate, secret(number, generation).as_bytes());
        if may_fail(&rotated) {
            count(&self.rotations);
        }
        if random.below(10) == 0 && may_fail(&self.admin.run(&["key", "rotate", "credential"])) {
            may_fail(&self.admin.run(&["key", "reencrypt"]));
        }
    }

    /// An export that reports success is whole, and its rows are one state.
    fn export(&self, _: &mut Random) {
        let file = self.folder.join("export.zip");
        let file = file.to_str().unwrap();
        if !may_fail(&self.admin.run(&["backup", "export", "--plain", "--force", "--out", file])) {
            return;
        }
        let _ = self.admin.run(&["archive", "verify", file]).succeeded();
        let rows = self.admin.run(&["archive", "open", file, "--table", "accounts"]).succeeded();
        Bank::check_rows(&serde_json::from_slice(&rows.stdout).unwrap());
        count(&self.exports);
    }

    fn store(&self, _: &mut Random) {
        if may_fail(&self.admin.run(&["backup", "create"])) {
            count(&self.backups);
        }
        for id in self.available().iter().skip(KEPT) {
            may_fail(&self.admin.run(&["backup", "delete", id, "--yes"]));
        }
    }

    /// The newest backup replaces the rows; every second restore is rolled back.
    fn restore(&self, random: &mut Random) {
        let Some(id) = self.available().into_iter().next() else { return };
        let plan =
            self.admin.run(&["restore", "plan", &id, "--mode", "replace", "--sources", "bank", "-o", "json"]);
        if !may_fail(&plan) {
            return;
        }
        let plan = plan.json()["id"].as_str().unwrap().to_owned();
        if !may_fail(&self.admin.run(&["restore", "apply", &plan, "--confirm", "bank"])) {
            return;
        }
        count(&self.restores);
        if random.below(2) == 0 {
            may_fail(&self.admin.run(&["restore", "rollback", &plan, "--discard-changes", "--yes"]));
        }
    }

    fn transfer(&self, random: &mut Random) {
        self.bank.transfer(random.below(1000), random.below(1000), random.below(100));
        count(&self.transfers);
    }

    /// Ids, newest first.
    fn available(&self) -> Vec<String> {
        let listed = self.admin.run(&["backup", "list", "-o", "json"]);
        if !may_fail(&listed) {
            return Vec::new();
        }
        let is_available = |backup: &&Value| backup["state"] == "BACKUP_STATE_AVAILABLE";
        let listed = listed.json();
        let available = listed.as_array().unwrap().iter().filter(is_available);
        available.map(|backup| backup["id"].as_str().unwrap().to_owned()).collect()
    }

    fn counts(&self) -> [(&'static str, u64); 6] {
        [
            ("reveals", &self.reveals),
            ("rotations", &self.rotations),
            ("exports", &self.exports),
            ("stored backups", &self.backups),
            ("restores", &self.restores),
            ("transfers", &self.transfers),
        ]
        .map(|(name, count)| (name, count.load(Ordering::SeqCst)))
    }

    pub(crate) fn report(&self) -> String {
        self.counts().map(|(name, count)| format!("{count} {name}")).join(", ")
    }

    /// Panics if something never succeeded: then it was not tested.
    pub(crate) fn check(&self) {
        for (name, count) in self.counts() {
            assert!(count > 0, "no {name}: {}", self.report());
        }
    }
}

fn name(number: usize) -> String {
    format!("credential {number}")
}

fn secret(number: usize, generation: usize) -> String {
    format!("secret {number} generation {generation}")
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::SeqCst);
}

/// Whether it succeeded. A failure has exit code 1 or 4 and a message; anything else is a crash or wrong usage.
fn may_fail(finished: &Finished) -> bool {
    assert!(matches!(finished.code, Some(0 | 1 | 4)), "{finished:?}");
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
    finished.code == Some(0)
}
