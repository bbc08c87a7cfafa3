//! The configuration that the chart writes: it matches the values, and the services accept it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use e2e::chart::{Chart, Volume, containers, of_kind, values};
use e2e::{finish, program};
use serde_json::{Value, json};

use super::matrix;

const PATIENCE: Duration = Duration::from_secs(60);

const TOML_TO_JSON: &str = "import json, sys, tomllib; json.dump(tomllib.load(sys.stdin.buffer), sys.stdout)";

/// The name and the configuration file of each service.
fn files(objects: &[Value]) -> Vec<(String, String)> {
    let file = |deployment: &Value| {
        let container = containers(objects, deployment).swap_remove(0);
        let Volume::ConfigMap { files, .. } = &container.mount("/etc/strongroom/config").volume else {
            panic!("the configuration is a ConfigMap")
        };
        let text = files[&format!("{}.toml", container.name)].clone();
        (container.name, text)
    };
    of_kind(objects, "Deployment").map(file).collect()
}

fn parsed(chart: &Chart, changes: Value, service: &str) -> Value {
    let files = files(&chart.render(&values(changes)));
    let (_, text) = files.into_iter().find(|(name, _)| name == service).unwrap();
    finish(chart.tool("python3").args(["-c", TOML_TO_JSON]), text.as_bytes(), PATIENCE).succeeded().json()
}

/// Both services stop at the missing files, and so have accepted the whole configuration by then.
#[test]
fn the_services_understand_it() {
    let Some(chart) = Chart::open() else { return };
    let mut seen = BTreeSet::new();
    for (case, objects) in matrix::rendered(&chart) {
        for (service, text) in files(objects) {
            if seen.insert(text.clone()) {
                understood(case, &service, &text);
            }
        }
    }
    assert!(seen.len() > 10, "{} configurations", seen.len());
}

fn understood(case: &str, service: &str, text: &str) {
    for line in text.lines().filter_map(|line| line.strip_prefix("listen = ")) {
        let address: Result<SocketAddr, _> = line.trim_matches('"').parse();
        assert!(address.is_ok(), "{case}: {line}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, text).unwrap();
    let listen = format!("STRONGROOM_{}__LISTEN", service.to_uppercase());
    let mut command = program(&format!("strongroom-{service}"));
    command.arg("--config").arg(file).env(listen, "127.0.0.1:0");
    let said = finish(&mut command, b"", PATIENCE).failed_with(1);
    assert!(said.contains(" /etc/strongroom/"), "{case}: {service}: {said}\n{text}");
}

/// Helm reads YAML numbers as floats, and its own TOML would print 7200.0.
#[test]
fn numbers_and_texts_stay_what_they_are() {
    let Some(chart) = Chart::open() else { return };
    let odd = "quote \" backslash \\ line\nfeed\ttab \u{7f}\u{1}\u{85}\u{2028} <&> é 🔑 {{ .Values }} '''";
    let changes = json!({
        "app": { "name": odd },
        "seal": { "without_recovery": null },
        "telemetry": { "sampling": 1 },
        "sources": [{ "name": "a", "kind": "files", "path": "/srv", "optional": [{ "name": "b", "tables": [] }] }],
        "backup": { "config": { "export_limit_seconds": 7200, "upload_limit_bytes": 137_438_953_472_i64 } },
    });
    let config = parsed(&chart, changes, "backup");
    assert_eq!(config["app"]["name"], odd);
    assert_eq!(config["backup"]["export_limit_seconds"], json!(7200));
    assert_eq!(config["backup"]["upload_limit_bytes"], json!(137_438_953_472_i64));
    assert_eq!(config["telemetry"]["sampling"], json!(1));
    assert_eq!(config["seal"], json!({ "recovery_recipients": [] }), "a key without a value is left out");
    assert_eq!(config["sources"][0]["optional"], json!([{ "name": "b", "tables": [] }]));
}

/// The kubelet evicts a pod whose volume exceeds its limit.
#[test]
fn uploads_fit_into_their_volume() {
    let Some(chart) = Chart::open() else { return };
    for (size, limit) in [("10Gi", 10_066_329_600_u64), ("3Ti", 3_092_376_453_120), ("512Mi", 503_316_480)] {
        let config = parsed(&chart, json!({ "backup": { "staging": { "size": size } } }), "backup");
        assert_eq!(config["backup"]["staging_limit_bytes"], json!(limit), "{size}");
    }
    let own = json!({ "backup": { "config": { "staging_limit_bytes": 1_048_576 } } });
    assert_eq!(parsed(&chart, own, "backup")["backup"]["staging_limit_bytes"], json!(1_048_576));
}

#[test]
fn destinations_are_buckets_and_mounted_folders() {
    let Some(chart) = Chart::open() else { return };
    let destinations = json!([
        { "name": "offsite", "url": "s3://bucket/prefix", "endpoint": "http://s3:8333", "path_style": true, "plaintext": true },
        { "name": "nearby", "existingClaim": "backups" },
    ]);
    let changes = json!({ "backup": { "destinations": destinations } });
    let config = parsed(&chart, changes.clone(), "backup");
    assert_eq!(config["destinations"][0], destinations[0]);
    let folder = "/var/lib/strongroom/destinations/nearby";
    assert_eq!(config["destinations"][1], json!({ "name": "nearby", "url": format!("file://{folder}") }));
    let objects = chart.render(&values(changes));
    let deployment = e2e::chart::object(&objects, "Deployment", "strongroom-backup");
    let container = containers(&objects, deployment).swap_remove(0);
    assert!(matches!(&container.mount(folder).volume, Volume::Claim(claim) if claim == "backups"));
}

#[test]
fn drills_have_a_server_from_a_secret_and_a_volume() {
    let Some(chart) = Chart::open() else { return };
    assert_eq!(parsed(&chart, json!({}), "backup").get("drill"), None);
    let drill = json!({ "postgres": { "existingSecret": "scratch", "key": "address", "template": "made" }, "sqlite": { "size": "5Gi" } });
    let changes = json!({ "backup": { "drill": drill } });
    let config = parsed(&chart, changes.clone(), "backup");
    let folder = "/var/lib/strongroom/scratch";
    let expected = json!({
        "scratch_url_file": "/etc/strongroom/drill/url",
        "scratch_template": "made",
        "scratch_dir": folder,
    });
    assert_eq!(config["drill"], expected);
    let objects = chart.render(&values(changes));
    let deployment = e2e::chart::object(&objects, "Deployment", "strongroom-backup");
    let container = containers(&objects, deployment).swap_remove(0);
    let _ = container.mount(folder);
    let _ = container.mount("/etc/strongroom/drill");
}

#[test]
fn a_limited_way_out_leads_to_the_services_of_buckets() {
    let Some(chart) = Chart::open() else { return };
    let bucket = |endpoint: &str| json!({ "name": endpoint.replace(|c: char| !c.is_ascii_lowercase(), "-"), "url": "s3://b", "endpoint": endpoint });
    let rules = |destinations: Value, storage: Value| {
        let changes = json!({
            "backup": { "destinations": destinations },
            "networkPolicy": { "egress": { "enabled": true, "storage": storage } },
        });
        let objects = chart.render(&values(changes));
        let egress = ["backup", "vault"].map(|service| {
            let policy = e2e::chart::object(&objects, "NetworkPolicy", &format!("strongroom-{service}"));
            policy["spec"]["egress"].as_array().unwrap().clone()
        });
        assert_eq!(egress[1].len(), 1, "the vault stores nothing");
        egress[0][2..].to_vec()
    };
    let aws = json!({ "name": "aws", "url": "s3://b" });
    let folder = json!({ "name": "folder", "existingClaim": "c" });
    assert_eq!(rules(json!([folder]), json!([])), [Value::Null; 0]);
    assert_eq!(rules(json!([aws, folder]), json!([])), [json!({ "ports": [{ "port": 443 }] })]);
    let several = json!([aws, bucket("http://plain"), bucket("https://other:8333/"), bucket("https://same")]);
    let peers = json!([{ "ipBlock": { "cidr": "203.0.113.0/24" } }]);
    let ports = json!([{ "port": 443 }, { "port": 80 }, { "port": 8333 }]);
    assert_eq!(rules(several, peers.clone()), [json!({ "ports": ports, "to": peers })]);
}

/// Values that name every Secret that the chart can mount.
fn every_secret() -> Value {
    json!({
        "vault": {
            "rootKey": { "existingSecret": "r", "key": "now" },
            "previousRootKeys": [{ "existingSecret": "r", "key": "then" }, { "existingSecret": "older" }],
            "database": { "kind": "postgres", "postgres": { "existingSecret": "d", "key": "address" } },
        },
        "tokens": { "existingSecret": "t", "adminKey": "a", "backupKey": "b" },
        "tls": {
            "mode": "existingSecret",
            "existingSecrets": { "vault": "vt", "backup": "bt" },
            "clientCA": { "existingSecret": "clients", "key": "bundle" },
        },
        "backup": {
            "database": { "kind": "postgres", "postgres": { "existingSecret": "c" } },
            "drill": { "postgres": { "existingSecret": "s", "key": "scratch" } },
            "destinations": [
                { "name": "a_b", "url": "s3://bucket", "credentials": { "existingSecret": "s3" } },
                {
                    "name": "other",
                    "url": "s3://bucket",
                    "endpoint": "https://s3.example.com",
                    "credentials": { "existingSecret": "s3", "key": "mine" },
                    "ca": { "existingSecret": "s3-ca" },
                },
            ],
        },
    })
}

/// Every file that the configuration names is mounted, from the Secret and key that the values name.
#[test]
fn secrets_are_where_the_configuration_looks() {
    let Some(chart) = Chart::open() else { return };
    let objects = chart.render(&values(every_secret()));
    let mounted: Vec<Vec<String>> =
        ["vault", "backup"].map(|service| mounted_secrets(&objects, service)).to_vec();
    let vault = [
        "client-ca/ca.crt = clients.bundle",
        "database/url = d.address",
        "previous-root-keys/0.key = r.then",
        "previous-root-keys/1.key = older.root.key",
        "root-key/root.key = r.now",
        "tls/tls.crt = vt.tls.crt",
        "tls/tls.key = vt.tls.key",
        "tokens/admin.token = t.a",
        "tokens/backup.token = t.b",
    ];
    assert_eq!(mounted[0], vault);
    let backup = [
        "ca/ca.crt = bt.ca.crt",
        "client-ca/ca.crt = clients.bundle",
        "database/url = c.url",
        "destinations/a_b/credentials/credentials = s3.credentials",
        "destinations/other/ca/ca.crt = s3-ca.ca.crt",
        "destinations/other/credentials/credentials = s3.mine",
        "drill/url = s.scratch",
        "tls/tls.crt = bt.tls.crt",
        "tls/tls.key = bt.tls.key",
        "tokens/backup.token = t.b",
    ];
    assert_eq!(mounted[1], backup, "and no other token");
    for (service, text) in files(&objects) {
        let mounted = &mounted[usize::from(service == "backup")];
        let named: BTreeSet<&str> =
            text.split('"').filter(|part| part.starts_with("/etc/strongroom/")).collect();
        let there = mounted.iter().map(|line| line.split(" = ").next().unwrap());
        let there: BTreeSet<String> = there.map(|file| format!("/etc/strongroom/{file}")).collect();
        assert_eq!(named, there.iter().map(String::as_str).collect(), "{service}");
    }
}

/// Sorted lines `place = secret.key`.
fn mounted_secrets(objects: &[Value], service: &str) -> Vec<String> {
    let deployment = e2e::chart::object(objects, "Deployment", &format!("strongroom-{service}"));
    let mut lines = Vec::new();
    for mount in containers(objects, deployment).swap_remove(0).mounts {
        if let Volume::Secrets { files, .. } = mount.volume {
            let folder = mount.path.trim_start_matches("/etc/strongroom/").to_owned();
            lines.extend(
                files.iter().map(|file| format!("{folder}/{} = {}.{}", file.path, file.secret, file.key)),
            );
        }
    }
    lines.sort_unstable();
    lines
}
