//! A process of the backup service that dies at a given failpoint.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Duration;

use e2e::{Operator, PATIENCE, Service, eventually, free_port, program};
use serde_json::Value;

use super::site::Site;

/// Two heartbeats until a process is declared dead, and as much again for commands on a machine under load.
pub(super) const DECLARED: Duration = Duration::from_secs(10 + 10);

/// Settings for the start of a process.
pub(super) struct Start<'a> {
    pub(super) site: &'a Site,
    /// The application name, which prefixes its file names.
    pub(super) app: &'a str,
    /// URL of its database.
    pub(super) database: &'a str,
    /// Its `[[destinations]]` section.
    pub(super) destinations: &'a str,
    pub(super) delete_delay_hours: u32,
    pub(super) failpoint: Option<&'a str>,
}

pub(super) struct Replica {
    pub(super) service: Service,
    pub(super) operator: Operator,
}

impl Start<'_> {
    /// Starts the process and waits until it serves.
    pub(super) fn start(&self) -> Replica {
        let mut replica = self.begin();
        replica.wait_until_serving();
        replica
    }

    /// Starts the process without waiting for it, because it may die first.
    pub(super) fn begin(&self) -> Replica {
        let port = free_port();
        let file = self.site.path(&format!("{}-{port}.toml", self.app));
        std::fs::write(&file, self.config(port)).unwrap();
        let mut command = program("strongroom-backup");
        command.arg("--config").arg(&file);
        if let Some(place) = self.failpoint {
            command.env("STRONGROOM_FAILPOINT", place);
        }
        let backup_url = format!("http://127.0.0.1:{port}");
        let operator = Operator { backup_url, ..self.site.admin().clone() };
        Replica { service: Service::start(&mut command), operator }
    }

    fn config(&self, port: u16) -> String {
        let Self { site, app, database, destinations, delete_delay_hours, .. } = self;
        let (token, vault) = (site.token_file(), &site.admin().vault_url);
        format!(
            "[app]\nname = \"{app}\"\nurl = \"https://example.com\"\n\n\
             [backup]\nlisten = \"127.0.0.1:{port}\"\ntoken_file = \"{}\"\nvault.url = \"{vault}\"\n\
             database_url = \"{database}\"\ndelete_delay_hours = {delete_delay_hours}\n\n\
             [seal]\nwithout_recovery = \"I accept that without the root key nobody opens these archives\"\n\n\
             {}{destinations}",
            token.display(),
            site.sources()
        )
    }
}

impl Replica {
    pub(super) fn wait_until_serving(&mut self) {
        let port = self.operator.backup_url.rsplit_once(':').unwrap().1.parse().unwrap();
        self.service.wait_until_listening(port);
    }

    /// Requests a backup without waiting for it. The process may die before it answers.
    pub(super) fn begin_backup(&self, is_big: bool) {
        let include: &[&str] = if is_big { &["--include", "big"] } else { &[] };
        let _ = self.operator.run(&[&["backup", "create", "--no-wait"], include].concat());
    }

    /// Waits until the process has killed itself.
    pub(super) fn wait_until_dead(&mut self) {
        let ended = self.service.wait_until_ended();
        assert_eq!(ended.signal(), Some(9), "it has ended in another way: {ended}\n{}", self.service.log());
    }

    /// Waits until the process is suspended.
    pub(super) fn wait_until_paused(&self) {
        let file = format!("/proc/{}/stat", self.service.pid());
        eventually("the process is suspended", PATIENCE, || {
            let stat = std::fs::read_to_string(&file).unwrap();
            stat.rsplit_once(") ").unwrap().1.starts_with('T').then_some(())
        });
    }

    /// All backups, in any state.
    pub(super) fn backups(&self) -> Vec<Value> {
        self.operator.json(&["backup", "list", "--deleted"]).as_array().unwrap().clone()
    }

    /// The backups whose file names start with `app`.
    pub(super) fn backups_of(&self, app: &str) -> Vec<Value> {
        let of_app = format!("{app}-backup-");
        let mut backups = self.backups();
        backups.retain(|backup| backup["fileName"].as_str().unwrap().starts_with(&of_app));
        backups
    }

    pub(super) fn backup(&self, id: &str) -> Value {
        self.operator.json(&["backup", "get", id])
    }

    /// Makes a small backup, verifies it and returns its id.
    pub(super) fn makes_a_backup(&self) -> String {
        let made = self.operator.json(&["backup", "create"]);
        assert_eq!(made["state"], "BACKUP_STATE_AVAILABLE", "{made}");
        let id = made["id"].as_str().unwrap();
        let _ = self.operator.run(&["backup", "verify", id]).succeeded();
        id.to_owned()
    }

    /// Downloads a backup, which checks its hash, and verifies its content.
    pub(super) fn gives_back(&self, id: &str, into: &Path) {
        let out = into.join(format!("{id}.zip.age"));
        let _ = self.operator.run(&["backup", "download", id, "--out", out.to_str().unwrap()]).succeeded();
        let _ = self.operator.run(&["backup", "verify", id]).succeeded();
    }

    /// Runs a scan that must find `found` backups and report nothing else.
    pub(super) fn scans(&self, found: usize) {
        let scan = self.operator.json(&["backup", "scan"])[0].clone();
        let number = |name: &str| scan[name].as_str().unwrap_or("0").parse::<usize>().unwrap();
        assert_eq!(number("found"), found, "{scan}");
        for nothing in ["added", "unverified", "missing", "refusedTotal"] {
            assert_eq!(number(nothing), 0, "{nothing}: {scan}");
        }
    }
}

/// Sorted file names, including hidden ones.
pub(super) fn files_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Waits until `folder` contains exactly the files of these `backups`.
pub(super) fn holds_only(folder: &Path, backups: &[Value]) {
    let mut expected: Vec<String> = Vec::new();
    for backup in backups {
        let key = backup["copies"][0]["key"].as_str().unwrap();
        expected.extend([key.to_owned(), format!("{key}.json")]);
    }
    expected.sort();
    let mut found = Vec::new();
    let end = std::time::Instant::now() + DECLARED;
    while std::time::Instant::now() < end {
        found = files_in(folder);
        if found == expected {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(found, expected, "in {}", folder.display());
}
