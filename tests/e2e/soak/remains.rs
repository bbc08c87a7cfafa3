//! Checks that a soak leaves only rows, archives and events that fit together, and nothing else.

use std::collections::BTreeSet;
use std::fs::read_dir;
use std::path::Path;
use std::time::Duration;

use e2e::{Operator, PATIENCE, eventually, http, long};
use serde_json::Value;

use super::site::Site;

/// Time in which everything that was interrupted is ended: two heartbeats, and what a restore has to catch up with.
const SETTLED: Duration = Duration::from_secs(180);
/// Growth of a process over the quiet rounds that does not count as a leak.
const MORE_DESCRIPTORS: usize = 4;
const MORE_MEMORY: u64 = 24 << 20;

pub(crate) fn check(site: &mut Site) {
    let admin = site.deployment.admin.clone();
    settle(site, &admin);
    site.bank.check_total();
    assert_eq!(admin.json(&["audit", "verify"])["ok"], true);
    roll_back_all(&admin);
    let backups = verified(&admin);
    files(site, &backups);
    pins(site, &backups);
    quiet_rounds(site, &admin);
}

/// No operation runs, no connection is busy, and the log has the ends of all operations.
fn settle(site: &Site, admin: &Operator) {
    let _ = admin.run(&["schedule", "delete", "minutely", "--yes"]);
    eventually("operations end", SETTLED, || (running(site) == 0).then_some(()));
    eventually("restores end", SETTLED, || {
        let restores = admin.json(&["restore", "list"]);
        let ended = ["PLANNED", "REFUSED", "APPLIED", "ROLLED_BACK", "FAILED"];
        let state = |restore: &Value| {
            restore["state"].as_str().unwrap().trim_start_matches("RESTORE_STATE_").to_owned()
        };
        restores
            .as_array()
            .unwrap()
            .iter()
            .all(|restore| ended.contains(&state(restore).as_str()))
            .then_some(())
    });
    eventually("connections are free", PATIENCE, || (site.bank.busy_connections() == 0).then_some(()));
    for (begin, end) in
        [("backup.export_started", "backup.exported"), ("backup.create_started", "backup.created")]
    {
        eventually("every start has its end", PATIENCE, || {
            operations(admin, begin).is_subset(&operations(admin, end)).then_some(())
        });
    }
}

/// The ids of the operations that have this event.
fn operations(admin: &Operator, event: &str) -> BTreeSet<String> {
    let id = |event: &Value| event["operationId"].as_str().unwrap().to_owned();
    admin.events(event).iter().map(id).collect()
}

/// The sum of `strongroom_backup_operations_running`.
fn running(site: &Site) -> u64 {
    let [_, backup] = site.deployment.admin_addresses();
    let answer = http::get(&backup, "/metrics").unwrap();
    let line = |line: &str| {
        let value = line.strip_prefix("strongroom_backup_operations_running")?.split(' ').next_back()?;
        value.parse::<f64>().ok()
    };
    answer.body.lines().filter_map(line).sum::<f64>() as u64
}

/// Newest first, as they have to be. Afterwards the application's database holds nothing of ours that is in use.
fn roll_back_all(admin: &Operator) {
    for restore in admin.json(&["restore", "list"]).as_array().unwrap() {
        if restore["state"] == "RESTORE_STATE_APPLIED" {
            let id = restore["id"].as_str().unwrap();
            let _ = admin.run(&["restore", "rollback", id, "--discard-changes", "--yes"]).succeeded();
        }
    }
}

/// The ids of all listed backups; each that is available verifies.
fn verified(admin: &Operator) -> BTreeSet<String> {
    let backups = admin.json(&["backup", "list", "--deleted"]);
    let id = |backup: &Value| backup["id"].as_str().unwrap().to_owned();
    for backup in backups.as_array().unwrap() {
        if backup["state"] == "BACKUP_STATE_AVAILABLE" {
            let _ = admin.run(&["backup", "verify", &id(backup)]).succeeded();
        }
    }
    backups.as_array().unwrap().iter().map(id).collect()
}

/// Each stored file belongs to a listed backup; no temporary file is left.
fn files(site: &Site, backups: &BTreeSet<String>) {
    let temporary: Vec<_> = names(&site.deployment.temporary_folder());
    assert!(temporary.is_empty(), "temporary files: {temporary:?}");
    for name in names(&site.stored) {
        let is_known = backups.iter().any(|id| name.contains(id));
        assert!(is_known && !name.contains('#'), "{name} belongs to no backup of {backups:?}");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Only archives that are stored hold pins without an end.
fn pins(site: &Site, backups: &BTreeSet<String>) {
    let pinned = site.vault_database.text(
        "SELECT coalesce(string_agg(DISTINCT archive_id, ' '), '') FROM key_pins WHERE expire_time IS NULL",
    );
    let strange: Vec<_> = pinned.split_whitespace().filter(|id| !backups.contains(*id)).collect();
    assert!(strange.is_empty(), "pins of {strange:?}, and the backups are {backups:?}");
}

/// The same work again and again makes no process grow.
fn quiet_rounds(site: &Site, admin: &Operator) {
    let rounds = if long() { 100 } else { 4 };
    let round = || {
        let _ = admin.run(&["credential", "reveal", "credential 1"]).succeeded();
        let file = site.deployment.path("quiet.zip");
        let export = ["backup", "export", "--plain", "--force", "--out", file.to_str().unwrap()];
        let _ = admin.run(&export).succeeded();
    };
    (0..rounds).for_each(|_| round());
    let processes = [site.deployment.vault.pid(), site.deployment.backup.pid()];
    let before = processes.map(|pid| (descriptors(pid), memory(pid)));
    (0..rounds).for_each(|_| round());
    for (pid, (files, bytes)) in processes.into_iter().zip(before) {
        eventually("descriptors are closed", PATIENCE, || {
            (descriptors(pid) <= files + MORE_DESCRIPTORS).then_some(())
        });
        let grown = memory(pid).saturating_sub(bytes);
        assert!(grown <= MORE_MEMORY, "process {pid} grew by {grown} bytes in {rounds} rounds");
    }
    assert_eq!(site.bank.our_tables(), 0, "tables of restores are left");
}

fn descriptors(pid: u32) -> usize {
    read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Resident memory in bytes.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}
