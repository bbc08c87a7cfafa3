//! Failing programs print one sentence and end; nothing hangs.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::{
    Deployment, Dev, Finished, bulk_table, eventually, finish, free_port, program, source, start_unread,
    vault_config,
};
use strongroom_testkit::TestDb;
use tempfile::TempDir;

/// Time limit for a start that cannot succeed.
const SOON: Duration = Duration::from_secs(30);

/// A folder with a root key and `config` as `vault.toml`.
fn vault_folder(config: impl Fn(&Path) -> String) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    new_root_key(&folder.path().join("root.key"));
    std::fs::write(folder.path().join("vault.toml"), config(folder.path())).unwrap();
    folder
}

fn new_root_key(file: &Path) {
    let made = finish(program("strongroom").args(["key", "new-root", "--out"]).arg(file), b"", SOON);
    assert_eq!(made.code, Some(0), "{}", made.said());
}

fn start_vault(folder: &Path) -> Finished {
    finish(program("strongroom-vault").arg("--config").arg(folder.join("vault.toml")), b"", SOON)
}

#[test]
fn a_port_in_use_ends_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = vault_folder(|folder| vault_config(folder, port, "sqlite:vault.db"));
    let said = start_vault(folder.path()).failed_with(1);
    assert!(said.contains(&port.to_string()) && said.contains("in use"), "{said}");

    std::fs::write(folder.path().join("strongroom.toml"), "[app]\nname = \"App\"\n").unwrap();
    for ports in [(port, free_port()), (free_port(), port)] {
        let said = finish(&mut Dev::command(folder.path(), ports), b"", SOON).failed_with(1);
        assert!(said.contains(&port.to_string()) && said.contains("in use"), "{said}");
    }
}

#[test]
fn a_wrong_root_key_ends_the_start() {
    let vault_database = TestDb::sqlite();
    let mut deployment = Deployment::start(vault_database.url_text(), "");
    assert_eq!(deployment.vault.terminate().code(), Some(0));
    std::fs::remove_file(deployment.path("root.key")).unwrap();
    new_root_key(&deployment.path("root.key"));
    let mut vault = program("strongroom-vault");
    let said = finish(vault.arg("--config").arg(deployment.path("vault.toml")), b"", SOON).failed_with(1);
    assert!(said.contains("root key"), "{said}");
}

#[test]
fn no_root_key_ends_the_start() {
    let folder = vault_folder(|folder| vault_config(folder, free_port(), "sqlite:vault.db"));
    strongroom_testkit::write_private(folder.path().join("root.key"), "base64:not a key");
    let said = start_vault(folder.path()).failed_with(1);
    assert!(said.contains("root.key") && !said.contains("not a key"), "{said}");
    std::fs::remove_file(folder.path().join("root.key")).unwrap();
    assert!(start_vault(folder.path()).failed_with(1).contains("root.key"));
}

#[test]
fn a_database_that_is_away_ends_the_start_of_the_vault() {
    let nobody = free_port();
    let url = format!("postgres://vault:hunter2@127.0.0.1:{nobody}/vault");
    let folder = vault_folder(|folder| vault_config(folder, free_port(), &url));
    let said = start_vault(folder.path()).failed_with(1);
    assert!(said.contains("database") && said.contains(&nobody.to_string()), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn an_unknown_field_ends_the_start_by_name() {
    let config =
        |folder: &Path| vault_config(folder, free_port(), "sqlite:vault.db") + "lisen = \"127.0.0.1:1\"\n";
    let folder = vault_folder(config);
    assert!(start_vault(folder.path()).failed_with(1).contains("lisen"));
    std::fs::write(folder.path().join("backup.toml"), "[app]\nname = \"App\"\n[backup]\nlisen = 1\n")
        .unwrap();
    let mut backup: Command = program("strongroom-backup");
    let said =
        finish(backup.arg("--config").arg(folder.path().join("backup.toml")), b"", SOON).failed_with(1);
    assert!(said.contains("lisen"), "{said}");
    std::fs::write(folder.path().join("strongroom.toml"), "[app]\nname = \"App\"\nlogo = 1\n").unwrap();
    let said = finish(&mut Dev::command(folder.path(), (free_port(), free_port())), b"", SOON).failed_with(1);
    assert!(said.contains("logo"), "{said}");
}

#[test]
fn a_source_that_contains_files_of_the_service_ends_the_start_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (all, file) = (folder.path().join("data"), folder.path().join("backup.toml"));
    let own = all.join("own").display().to_string();
    let all = all.display();
    let source =
        format!("[app]\nname = \"App\"\n[[sources]]\nname = \"all\"\nkind = \"files\"\npath = \"{all}\"\n");
    for (option, config) in [
        ("[backup] token_file", format!("[backup]\ntoken_file = \"{own}/token\"")),
        ("[backup] database_url", format!("[backup]\ndatabase_url = \"sqlite:{own}/backup.db\"")),
        ("[backup] staging_dir", format!("[backup]\nstaging_dir = \"{own}\"")),
        ("[drill] scratch_dir", format!("[drill]\nscratch_dir = \"{own}\"")),
        ("[[destinations]] url", format!("[[destinations]]\nname = \"d\"\nurl = \"file://{own}\"")),
    ] {
        std::fs::write(&file, format!("{source}{config}\n")).unwrap();
        let mut backup = program("strongroom-backup");
        backup.env("STRONGROOM_BACKUP__LISTEN", "127.0.0.1:0");
        let said = finish(backup.arg("--config").arg(&file), b"", SOON).failed_with(1);
        assert!(said.contains("source all") && said.contains(&format!("({option})")), "{option}: {said}");
    }
}

#[test]
fn the_vault_away_is_said_and_passes() {
    let vault_database = TestDb::sqlite();
    let mut deployment = Deployment::start(vault_database.url_text(), "");
    let admin = deployment.admin.clone();
    let _ = admin.json(&["source", "list"]);
    deployment.vault.kill();
    let said = admin.run(&["credential", "list"]).failed_with(4);
    assert!(said.contains("cannot reach the vault"), "{said}");
    let out = deployment.path("backup.zip");
    let export = ["backup", "export", "--plain", "--out", out.to_str().unwrap()];
    let said = admin.run(&export).failed_with(4);
    assert!(said.contains("vault") && !out.exists(), "{said}");
    deployment.restart_vault();
    let _ = admin.json(&export);
}

#[test]
fn the_backup_service_away_is_said() {
    let vault_database = TestDb::sqlite();
    let mut deployment = Deployment::start(vault_database.url_text(), "");
    deployment.backup.kill();
    let said = deployment.admin.run(&["backup", "export", "--plain", "--out", "-"]).failed_with(4);
    assert!(said.contains("cannot reach the backup service"), "{said}");
}

#[test]
fn a_source_that_is_away_fails_the_export_by_name() {
    for db in TestDb::each() {
        db.run("CREATE TABLE t (id BIGINT)");
        let dev = Dev::start(&source("gateway", &db, &[]));
        drop(db);
        let out = dev.path("backup.zip");
        let export = ["backup", "export", "--plain", "--out", out.to_str().unwrap()];
        let said = dev.admin.run(&export).failed_with(1);
        assert!(said.contains("gateway") && !out.exists(), "{said}");
        let ended = dev.admin.events("backup.exported");
        assert!(ended.iter().all(|event| event["outcome"] == "AUDIT_OUTCOME_FAILED"), "{ended:?}");
        let _ = dev.admin.json(&["credential", "stats"]);
        let told = || dev.service.log().matches("a source cannot be read").count();
        eventually("it is in the log", Duration::from_secs(60), || (told() > 0).then_some(()));
        for _ in 0..3 {
            let _ = dev.admin.json(&["source", "list"]);
        }
        assert_eq!(told(), 1, "{}", dev.service.log());
    }
}

#[test]
fn a_table_that_vanishes_fails_the_export_by_name_or_waits() {
    let Some(db) = TestDb::postgres() else { return };
    bulk_table(&db, 300_000);
    db.run("CREATE TABLE zebra (id bigint); INSERT INTO zebra VALUES (1)");
    let dev = Dev::start(&source("gateway", &db, &[]));
    let client = start_unread(&mut dev.admin.command(&["backup", "export", "--plain", "--out", "-"]));
    // The pipe is not read, so the export stops inside the first, big table.
    eventually("the export has begun", Duration::from_secs(20), || {
        (dev.admin.events("backup.export_started").len() == 1).then_some(())
    });
    std::thread::sleep(Duration::from_secs(1));
    db.run("DO $$ BEGIN SET LOCAL lock_timeout = '1s'; DROP TABLE zebra; EXCEPTION WHEN lock_not_available THEN END $$");
    let is_there = db.number("SELECT count(*) FROM pg_class WHERE relname = 'zebra'") == 1;
    let finished = client.finish(Duration::from_secs(60));
    if is_there {
        let _ = finished.succeeded();
    } else {
        let said = finished.failed_with(1);
        assert!(said.contains("zebra"), "{said}");
    }
}

#[test]
fn a_name_that_stays_taken_ends_the_start_by_name() {
    let (one, two) = (TestDb::sqlite(), TestDb::sqlite());
    one.run("CREATE TABLE twin (id BIGINT)");
    // The first source also has a table with the qualified name of the second source's table.
    one.run("CREATE TABLE \"second.twin\" (id BIGINT)");
    two.run("CREATE TABLE twin (id BIGINT)");
    let folder = tempfile::tempdir().unwrap();
    let config =
        format!("[app]\nname = \"App\"\n{}{}", source("first", &one, &[]), source("second", &two, &[]));
    std::fs::write(folder.path().join("strongroom.toml"), config).unwrap();
    let said = finish(&mut Dev::command(folder.path(), (free_port(), free_port())), b"", SOON).failed_with(1);
    assert!(said.contains("twin") && said.contains("first") && said.contains("second"), "{said}");
}
