//! Two vault processes on one PostgreSQL are one vault.

use std::process::{Child, Stdio};
use std::time::Duration;

use e2e::http::get;
use e2e::{FELT_EVERYWHERE, Operator, PATIENCE, Service, eventually, free_port, program, vault_config};
use strongroom_testkit::TestDb;

struct Pair {
    _processes: [Service; 2],
    one: Operator,
    two: Operator,
    /// `host:port` of the admin ports.
    admin_addresses: [String; 2],
    _folder: tempfile::TempDir,
}

/// Starts both at the same moment on an empty database: one of them creates the ring and the admin token.
fn start(database: &TestDb) -> Pair {
    let folder = tempfile::tempdir().unwrap();
    let root_key = folder.path().join("root.key");
    let nobody = Operator { vault_url: String::new(), backup_url: String::new(), token: String::new() };
    let made = nobody.run(&["key", "new-root", "--out", root_key.to_str().unwrap()]);
    assert_eq!(made.code, Some(0), "{}", made.said());
    let ports = [free_port(), free_port()];
    let admin_addresses = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    let mut next_address = admin_addresses.iter();
    let mut processes = ports.map(|port| {
        let config = folder.path().join(format!("{port}.toml"));
        let text = vault_config(folder.path(), port, database.url_text());
        let own_token = format!("{port}.token");
        std::fs::write(&config, text.replace("admin.token", &own_token)).unwrap();
        let mut command = program("strongroom-vault");
        command.env("STRONGROOM_ADMIN__LISTEN", next_address.next().unwrap());
        Service::start(command.arg("--config").arg(&config).current_dir(folder.path()))
    });
    for (process, port) in processes.iter_mut().zip(ports) {
        process.wait_until_listening(port);
    }
    let tokens = eventually("the admin token", PATIENCE, || {
        let found =
            ports.map(|port| std::fs::read_to_string(folder.path().join(format!("{port}.token"))).ok());
        let found: Vec<String> = found.into_iter().flatten().collect();
        (found.len() == 1).then_some(found)
    });
    let operator = |port: u16| Operator {
        vault_url: format!("http://127.0.0.1:{port}"),
        backup_url: String::new(),
        token: tokens[0].trim().to_owned(),
    };
    Pair {
        one: operator(ports[0]),
        two: operator(ports[1]),
        admin_addresses,
        _processes: processes,
        _folder: folder,
    }
}

#[test]
fn two_vaults_on_one_database_are_one() {
    let Some(database) = TestDb::postgres() else { return };
    let pair = start(&database);
    assert_eq!(pair.one.events("token.issued").len(), 1, "two first starts made one admin");
    let id = pair.one.create_credential("One", "openai", b"a secret for two");

    // A rotation in one process: the other opens values of the new version, and then seals with it.
    let rotated = pair.one.json(&["key", "rotate", "credential"]);
    let sealed_anew = pair.one.create_credential("Two", "openai", b"sealed by the new version");
    assert_eq!(
        pair.two.run(&["credential", "reveal", &sealed_anew]).succeeded().stdout,
        b"sealed by the new version"
    );
    eventually("the other seals with the new version", FELT_EVERYWHERE, || {
        let primary = pair.two.json(&["key", "list"]);
        let found = primary.as_array().unwrap().iter().any(|version| version["kid"] == rotated["kid"]);
        found.then_some(())
    });

    // A deactivation in one process.
    let _ = pair.one.run(&["credential", "deactivate", &id]).succeeded();
    eventually("the other refuses it", FELT_EVERYWHERE, || {
        (pair.two.run(&["credential", "reveal", &id]).code != Some(0)).then_some(())
    });

    // A revocation in one process.
    let reader = pair.two.issue("auditor");
    let _ = reader.run(&["credential", "list"]).succeeded();
    let tokens = pair.one.json(&["token", "list"]);
    let issued = tokens.as_array().unwrap().iter().find(|token| token["role"] == "auditor").unwrap();
    let _ = pair.one.run(&["token", "revoke", "--yes", issued["id"].as_str().unwrap()]).succeeded();
    eventually("the other refuses the token", FELT_EVERYWHERE, || {
        (reader.run(&["credential", "list"]).code != Some(0)).then_some(())
    });

    let verified = pair.two.json(&["audit", "verify"]);
    assert_eq!(verified["ok"], true, "one chain: {verified}");
}

/// A command that runs as long as the test.
struct Background(Child);

impl Background {
    fn reencrypting(operator: &Operator) -> Self {
        let mut command = operator.command(&["key", "reencrypt", "--rate", "1"]);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn rows_left(address: &str) -> u32 {
    value(address, "strongroom_vault_reencrypt_rows_left{key=\"credential\"} ")
}

fn value(address: &str, series: &str) -> u32 {
    let text = get(address, "/metrics").unwrap().body;
    text.lines().find_map(|line| line.strip_prefix(series)?.parse().ok()).unwrap_or_default()
}

#[test]
fn only_the_process_that_works_on_a_run_tells_its_rows() {
    let Some(database) = TestDb::postgres() else { return };
    let pair = start(&database);
    for number in 0..30 {
        let _ = pair.one.create_credential(&format!("C {number}"), "openai", b"a secret for two");
    }
    let _ = pair.one.run(&["key", "rotate", "credential"]).succeeded();
    eventually("both have the new ring", PATIENCE, || {
        let [one, two] =
            pair.admin_addresses.each_ref().map(|address| value(address, "strongroom_vault_ring_revision "));
        (one == two).then_some(())
    });
    let _asked = Background::reencrypting(&pair.one);
    let working = eventually("a process works", PATIENCE, || {
        pair.admin_addresses.iter().position(|address| rows_left(address) > 0)
    });
    let idle = 1 - working;
    // The other process is asked too: it joins the run and counts nothing itself.
    let _joined = Background::reencrypting([&pair.one, &pair.two][idle]);
    std::thread::sleep(Duration::from_secs(2));
    assert!(rows_left(&pair.admin_addresses[working]) > 0);
    assert_eq!(rows_left(&pair.admin_addresses[idle]), 0);
}
