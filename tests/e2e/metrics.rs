//! `/metrics` and its documentation list the same families.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::http::get;
use e2e::{Deployment, eventually, finish, repository, tool};
use strongroom_testkit::TestDb;

/// Families that need certificates are tested by `mtls`, those that need a run and a drill by `stored_commands::schedules`.
const NOT_HERE: [&str; 5] = [
    "strongroom_tls_",
    "strongroom_backup_schedule_last_stored_",
    "strongroom_backup_schedule_drill_failed",
    "strongroom_backup_schedule_next_drill_",
    "strongroom_backup_schedule_next_verification_",
];

/// The families of docs/metrics.md with their types.
fn described() -> BTreeSet<(String, String)> {
    let page = std::fs::read_to_string(repository().join("docs/metrics.md")).unwrap();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        let name = cells.next()?.trim_end_matches('`').to_owned();
        Some((name, cells.next()?.to_owned()))
    };
    page.lines().filter_map(row).collect()
}

fn exposed(text: &str) -> BTreeSet<(String, String)> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

#[test]
fn every_family_is_described_and_every_described_one_is_there() {
    let (database, disk) = (TestDb::sqlite(), tempfile::tempdir().unwrap());
    let destination =
        format!("[[destinations]]\nname = \"disk\"\nurl = \"file://{}\"\n", disk.path().display());
    let deployment = Deployment::start(database.url_text(), &destination);
    let admin = &deployment.admin;
    let id = admin.create_credential("One", "openai", b"sk-live-0123456789abcdef");
    let _ = admin.run(&["credential", "reveal", &id]).succeeded();
    let _ = admin.run(&["key", "rotate", "credential"]).succeeded();
    let _ = admin.run(&["key", "reencrypt"]).succeeded();
    let _ = admin.issue("auditor").run(&["credential", "reveal", &id]).failed_with(1);
    let revoked = admin.issue("operator");
    let tokens = admin.json(&["token", "list"]);
    let own = tokens.as_array().unwrap().iter().find(|token| token["role"] == "operator").unwrap();
    let _ = admin.run(&["token", "revoke", "--yes", own["id"].as_str().unwrap()]).succeeded();
    let _ = revoked.run(&["source", "list"]).failed_with(1);
    let _ = admin.with_token("srt_unknown").run(&["credential", "list"]).failed_with(1);
    let archive = deployment.path("backup.zip");
    let archive = archive.to_str().unwrap();
    let _ = admin.run(&["backup", "export", "--plain", "--out", archive]).succeeded();
    let _ = admin.run(&["backup", "verify", archive]).succeeded();
    let _ = admin.json(&["schedule", "create", "yearly", "--cron", "@yearly"]);
    let stored = admin.json(&["backup", "create", "--plain"]);
    let stored = stored["id"].as_str().unwrap();
    let _ = admin.run(&["backup", "verify", stored]).succeeded();
    let _ = admin.run(&["backup", "download", stored, "--out", "-"]).succeeded();
    wait_until_seen(&deployment);
    let texts = deployment.admin_addresses().map(|address| {
        let answer = get(&address, "/metrics").unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains("content-type: text/plain; version=0.0.4\r\n"), "{}", answer.head);
        lint(&answer.body);
        answer.body
    });
    let exposed: BTreeSet<_> = texts.iter().flat_map(|text| exposed(text)).collect();
    let described = described();
    let undescribed: Vec<_> = exposed.difference(&described).collect();
    assert!(undescribed.is_empty(), "docs/metrics.md does not describe {undescribed:?}");
    let is_here = |family: &&(String, String)| !NOT_HERE.iter().any(|start| family.0.starts_with(start));
    let missing: Vec<_> = described.difference(&exposed).filter(is_here).collect();
    assert!(missing.is_empty(), "docs/metrics.md describes what nobody exposes: {missing:?}");
    count(&texts);
}

/// The catalogue is checked every 20 s.
fn wait_until_seen(deployment: &Deployment) {
    let [_, backup] = deployment.admin_addresses();
    eventually("the verification of the stored backup is seen", Duration::from_secs(45), || {
        let text = get(&backup, "/metrics")?.body;
        let of_schedule = text.contains("\nstrongroom_backup_schedule_failing{schedule=\"yearly\"} 0");
        (of_schedule && text.contains("\nstrongroom_backup_last_verified_timestamp_seconds ")).then_some(())
    });
}

/// The expected effects of the calls above.
fn count([vault, backup]: &[String; 2]) {
    let value = |text: &str, series: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series}\n{text}")).parse::<f64>().unwrap()
    };
    assert_eq!(
        value(vault, "strongroom_vault_audit_wait_seconds_count"),
        4.0,
        "a reveal, two checks, a sidecar"
    );
    assert_eq!(value(vault, "strongroom_vault_tokens_refused_total"), 2.0, "one here, one asked about");
    assert_eq!(value(vault, "strongroom_vault_calls_denied_total"), 1.0);
    assert_eq!(value(vault, "strongroom_vault_reencrypt_rows_total{key=\"credential\"}"), 1.0);
    assert_eq!(value(vault, "strongroom_vault_reencrypt_rows_left{key=\"credential\"}"), 0.0);
    // The reveal before the rotation, the re-encryption, and two verifications: the count continues across two rings.
    let opens = |line: &&str| line.starts_with("strongroom_vault_opens_total{key=\"credential\"");
    let opens = vault.lines().filter(opens).map(|line| line.rsplit_once(' ').unwrap().1);
    assert_eq!(opens.map(|count| count.parse::<u32>().unwrap()).sum::<u32>(), 4, "{vault}");
    assert!(vault.contains("strongroom_vault_seals_total{key=\"credential\",kid=\""), "{vault}");
    assert_eq!(value(vault, "strongroom_vault_audit_write_failures_total"), 0.0);
    assert_eq!(value(backup, "strongroom_backup_source_up{source=\"vault\"}"), 1.0);
    for (kind, times) in [("export", 1.0), ("verification", 2.0), ("create", 1.0), ("download", 1.0)] {
        let ended = format!("strongroom_backup_operations_total{{kind=\"{kind}\",outcome=\"success\"}}");
        assert_eq!(value(backup, &ended), times, "{kind}");
        let running = format!("strongroom_backup_operations_running{{kind=\"{kind}\"}}");
        assert_eq!(value(backup, &running), 0.0);
        assert!(
            value(backup, &format!("strongroom_backup_last_success_timestamp_seconds{{kind=\"{kind}\"}}"))
                > 1e9
        );
    }
    let exported = value(backup, "strongroom_backup_exported_bytes_total");
    let stored = value(backup, "strongroom_backup_stored_bytes");
    assert!(stored > 0.0);
    assert_eq!(value(backup, "strongroom_backup_verification_received_bytes_total"), exported + stored);
    assert_eq!(value(backup, "strongroom_backup_staged_bytes"), 0.0);
    assert_eq!(value(backup, "strongroom_backup_restores_waiting"), 0.0);
    for (state, backups) in [("available", 1.0), ("failed", 0.0), ("deleting", 0.0), ("unverified", 0.0)] {
        let series = format!("strongroom_backup_stored_backups{{state=\"{state}\"}}");
        assert_eq!(value(backup, &series), backups, "{state}");
    }
    assert_eq!(value(backup, "strongroom_backup_destination_up{destination=\"disk\"}"), 1.0);
    assert_eq!(value(backup, "strongroom_backup_copies_in_trouble{destination=\"disk\"}"), 0.0);
    let time = |of: &str| value(backup, &format!("strongroom_backup_{of}_timestamp_seconds"));
    let stored = time("last_stored");
    assert!(stored > 1e9);
    assert_eq!(time("oldest_stored"), stored, "there is one");
    assert!(time("last_verified") > stored);
}

#[test]
fn an_audit_log_that_cannot_be_written_is_counted() {
    let database = TestDb::sqlite();
    let deployment = Deployment::start(database.url_text(), "");
    let id = deployment.admin.create_credential("One", "openai", b"sk-live-0123456789abcdef");
    database.run("CREATE TRIGGER full BEFORE INSERT ON audit_logs BEGIN SELECT RAISE(ABORT, 'full'); END");
    for refused in [["credential", "reveal", &id], ["credential", "deactivate", &id]] {
        assert!(deployment.admin.run(&refused).failed_with(4).contains("audit log"), "{refused:?}");
    }
    let [vault, _] = deployment.admin_addresses();
    let metrics = get(&vault, "/metrics").unwrap().body;
    assert!(metrics.contains("\nstrongroom_vault_audit_write_failures_total 2\n"), "{metrics}");
}

/// Checks the text with Prometheus' own linter.
fn lint(text: &str) {
    let Some(mut promtool) = tool::tool("promtool") else { return };
    let linted = finish(promtool.args(["check", "metrics"]), text.as_bytes(), Duration::from_secs(60));
    assert_eq!(linted.succeeded().said(), "");
}

#[test]
fn a_configuration_may_go_without_an_admin_port_or_move_it() {
    let folder = tempfile::tempdir().unwrap();
    let port = eventually("two free ports in a row", Duration::from_secs(10), || {
        let port = e2e::free_port();
        std::net::TcpListener::bind(("127.0.0.1", port.checked_add(1)?)).ok().map(|_| port)
    });
    std::fs::write(folder.path().join("strongroom.toml"), "").unwrap();
    for (listen, answers) in [(format!("127.0.0.1:{port}"), true), (String::new(), false)] {
        let mut command = e2e::Dev::command(folder.path(), (0, 0));
        let mut dev = e2e::Service::start(command.env("STRONGROOM_ADMIN__LISTEN", &listen));
        dev.wait_until_ready();
        for (service, port) in [("vault", port), ("backup", port + 1)] {
            let found = get(&format!("127.0.0.1:{port}"), "/metrics");
            assert_eq!(found.is_some(), answers, "{service}");
            if let Some(metrics) = found {
                assert!(metrics.body.contains(&format!("strongroom_{service}_")), "{}", metrics.body);
                let ready = get(&format!("127.0.0.1:{port}"), "/readyz").unwrap();
                assert_eq!(ready.status, 200, "{}", ready.body);
            }
        }
    }
}
